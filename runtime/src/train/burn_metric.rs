//! Burn's metrics, as they are.

use burn::data::dataloader::Progress;
use burn::train::InferenceStep;
use burn::train::metric::{Adaptor, Metric, MetricMetadata, Numeric};

use super::TrainError;
use super::evaluate::{batches, home};
use crate::data::Source;
use crate::exchange::Alone;
use crate::model::{Batch, Model};

/// What a metric of Burn's comes to on every example of `source`, `batch` at a time, in inference mode.
///
/// Which metrics there are for a network follows from its loss, as in Burn: `cross_entropy` knows
/// accuracy, top-k, precision, recall, F-beta, perplexity and others. Their units are Burn's: shares
/// are percentages.
///
/// ```
/// use kiln::burn::train::metric::{PerplexityMetric, TopKAccuracyMetric};
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::train::evaluate_metric;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
///
/// let model = NetConfig::new().init(&default_device()?)?;
/// let all = evaluate_metric(&model, &digits()?, 256, &TopKAccuracyMetric::new(10))?;
/// assert_eq!(all, 100.0);
/// let perplexity = evaluate_metric(&model, &digits()?, 256, &PerplexityMetric::new())?;
/// let loss = evaluate(&model, &digits()?, 256)?.loss;
/// assert!((perplexity / loss.exp() - 1.0).abs() < 1e-4);
/// # Ok::<(), kiln::Error>(())
/// ```
///
/// # Errors
///
/// A data set that does not fit the model or is empty, a batch of 0, an error of the source or of the
/// metric.
pub fn evaluate_metric<M, Me>(
    model: &M,
    source: &dyn Source,
    batch: usize,
    metric: &Me,
) -> Result<f64, TrainError>
where
    M: Model + InferenceStep<Input = Batch<M>>,
    Me: Metric + Numeric,
    <M as InferenceStep>::Output: Adaptor<Me::Input>,
{
    let mut metric = metric.clone();
    metric.clear();
    let failed = |name: String, error: &dyn std::fmt::Display| TrainError::Metric {
        name,
        reason: error.to_string(),
    };
    let name = metric.name().to_string();
    let model = model.valid();
    let (mut seen, total) = (0, source.len());
    for (iteration, examples) in batches(&model, source, batch, &Alone)?.enumerate() {
        let (examples, count) = examples?;
        seen += count;
        let step = InferenceStep::step(&model, Batch::upload(examples, &home(&model))?);
        let metadata = MetricMetadata {
            progress: Progress::new(seen, total, None),
            iteration: Some(iteration),
            lr: None,
        };
        let updated = metric.update(&step.adapt(), &metadata);
        updated.map_err(|error| failed(name.clone(), &error))?;
    }
    let computed = metric.compute();
    computed.map_err(|error| failed(name, &error))?;
    Ok(metric.final_value().current())
}
