//! Everything that was measured, as one JSON object.

use serde_json::{Map, Value, json};

use crate::memory::Memory;
use crate::ratios::Ratio;
use crate::rounds::Entry;

/// What a run came to.
#[derive(Default)]
pub struct Results {
    pub entries: Vec<Entry>,
    pub memory: Vec<Memory>,
    pub ratios: Vec<Ratio>,
    /// Whether declared and by hand gave the same bits; `None` if they were not compared.
    pub identical: Option<bool>,
    /// What could not be measured, and why; a contender that is not there is no failure.
    pub absent: Vec<String>,
    /// What went wrong.
    pub failures: Vec<String>,
}

impl Results {
    /// The ratios by name at the top, the rest below.
    pub fn to_json(&self, environment: Value) -> Value {
        let mut all = Map::new();
        let mut spread = Map::new();
        for ratio in &self.ratios {
            all.insert(ratio.name.clone(), json!(ratio.median()));
            let [low, _, high] = ratio.quartiles;
            spread.insert(ratio.name.clone(), json!([low, high]));
        }
        if let Some(identical) = self.identical {
            all.insert("identical".into(), json!(identical));
        }
        let mut times = Map::new();
        for entry in &self.entries {
            let of_case = times.entry(entry.case.to_string()).or_insert(json!({}));
            of_case[entry.contender.name()] = json!(entry.milliseconds());
        }
        let mut memory = Map::new();
        for one in &self.memory {
            let of_case = memory.entry(one.case.to_string()).or_insert(json!({}));
            of_case[one.contender.name()] = one.to_json();
        }
        all.insert("quartiles".into(), spread.into());
        all.insert("ms".into(), times.into());
        all.insert("memory".into(), memory.into());
        all.insert("environment".into(), environment);
        let left_out: Vec<_> = self.absent.iter().chain(&self.failures).collect();
        all.insert("not_measured".into(), json!(left_out));
        Value::Object(all)
    }
}
