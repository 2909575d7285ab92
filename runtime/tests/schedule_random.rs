//! Random plans: whatever they are, they are refused or give rates, and a step has the same rate
//! however it is reached.

use kiln::schedule::{
    CycleShape, CyclicMode, Horizon, LrScheduler, LrSchedulerRecord, Metric, MetricMode, Phase,
    Plan, Rate, Scaling, ThresholdMode, Time, WarmupShape,
};

const HORIZON: Horizon = Horizon {
    steps: 1000,
    steps_per_epoch: 25,
    batch: 256,
};

/// A linear congruential generator (Knuth's MMIX), so that a failing case can be found again.
struct Lcg {
    state: u64,
    /// Whether now and then a number is drawn that nobody would write.
    wild: bool,
}

impl Lcg {
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// `usual`, or what nobody would write.
    fn value(&mut self, usual: f64) -> f64 {
        if !self.wild {
            return usual;
        }
        match self.below(40) {
            0 => f64::NAN,
            1 => -usual,
            2 => f64::INFINITY,
            3 => 0.0,
            4 => f64::MAX,
            5 => f64::from_bits(1),
            _ => usual,
        }
    }

    /// A number in (0, 1).
    fn share(&mut self) -> f64 {
        let usual = (1 + self.below(999)) as f64 / 1000.0;
        self.value(usual)
    }

    /// At most a quarter of the training.
    fn time(&mut self) -> Time {
        let share = (1 + self.below(999)) as f64 / 1000.0;
        match self.below(3) {
            0 => Time::Steps(self.value((share * 250.0).ceil())),
            1 => Time::Epochs(self.value(share * 10.0)),
            _ => Time::Percent(self.value(share * 25.0)),
        }
    }

    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| draw(self))
    }

    fn epochs(&mut self) -> Time {
        let epochs = self.below(4) as f64;
        Time::Epochs(self.value(epochs))
    }

    /// The phase of that number, of thirteen.
    fn phase(&mut self, number: u64, duration: Option<Time>) -> Phase {
        let (from, to) = (self.share(), self.share());
        match number {
            0 => Phase::Constant { duration },
            1 => Phase::Hold { duration },
            2 => Phase::Warmup {
                duration: self.time(),
                from,
                shape: self.one_of(&[WarmupShape::Linear, WarmupShape::Constant]),
            },
            3 => Phase::Linear { duration, from, to },
            4 => Phase::Polynomial {
                duration,
                power: 3.0 * from,
                to,
            },
            5 => Phase::Cosine { duration, to },
            6 => Phase::CosineRestarts {
                duration,
                period: self.time(),
                mult: 1.0 + self.share(),
                decay: from,
                to,
            },
            7 => Phase::Exponential {
                duration,
                factor: to,
                every: self.time(),
            },
            8 => Phase::InverseSqrt {
                duration,
                timescale: self.maybe(Lcg::time),
            },
            9 => Phase::OneCycle {
                duration,
                up: self.share(),
                from,
                to,
                shape: self.one_of(&[CycleShape::Cosine, CycleShape::Linear]),
                three_phase: self.below(2) == 0,
            },
            10 => {
                let mode = self.one_of(&[
                    CyclicMode::Triangular,
                    CyclicMode::Triangular2,
                    CyclicMode::ExpRange,
                ]);
                Phase::Cyclic {
                    duration,
                    up: self.time(),
                    down: self.maybe(Lcg::time),
                    from,
                    mode,
                    gamma: (mode == CyclicMode::ExpRange).then_some(to),
                }
            }
            11 => Phase::Step {
                factor: from,
                at: {
                    let first = 500.0 + self.value(10.0);
                    vec![Time::Steps(first), Time::Percent(70.0)]
                },
            },
            _ => Phase::Plateau {
                factor: from,
                patience: self.epochs(),
                threshold: 0.1 * to,
                threshold_mode: self.one_of(&[ThresholdMode::Relative, ThresholdMode::Absolute]),
                cooldown: self.epochs(),
                min_lr: self.value(1e-3),
                on: self.maybe(|_| Metric::Accuracy).unwrap_or_default(),
                mode: self.maybe(|random| random.one_of(&[MetricMode::Min, MetricMode::Max])),
            },
        }
    }

    fn plan(&mut self) -> Plan {
        let peak = 0.01 + self.share();
        let per = self.value(256.0);
        let mut phases = Vec::new();
        for _ in 0..self.below(3) {
            let number = self.below(11);
            let duration = Some(self.time());
            phases.push(self.phase(number, duration));
        }
        let number = self.below(13);
        let duration = self.maybe(Lcg::time);
        phases.push(self.phase(number, duration));
        Plan {
            peak: self.value(peak),
            scaling: self.one_of(&[
                None,
                Some(Scaling::Linear { per }),
                Some(Scaling::Sqrt { per }),
            ]),
            phases,
        }
    }
}

/// The name of the phase in a serialized plan.
fn name(phase: &Phase) -> String {
    let json = serde_json::to_string(phase).expect("a phase is plain data");
    json.split('"').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn every_plan_is_refused_or_gives_rates_that_are_finite_and_not_negative() {
    let mut random = Lcg {
        state: 1,
        wild: true,
    };
    let mut accepted = 0;
    for _ in 0..40_000 {
        let plan = random.plan();
        assert!(!plan.to_string().is_empty());
        match plan.over(&HORIZON) {
            Ok(mut rate) => {
                accepted += 1;
                for step in [0, 1, 57, 100, 500, 999, 1000, 1001, u64::MAX] {
                    let at = rate.at(step);
                    assert!(at.is_finite() && at >= 0.0, "{plan}: {at} at {step}");
                }
                for _ in 0..100 {
                    rate.step();
                    rate.observe(random.value(1.0));
                }
                assert!(rate.at(100).is_finite() && rate.at(100) >= 0.0, "{plan}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    assert!(accepted > 5_000, "only {accepted} were accepted");
}

/// The rates of the steps from where `rate` stands up to `end`, with a metric of each epoch that is a
/// pure function of it.
fn walk(rate: &mut Rate, from: u64, end: u64) -> Vec<f64> {
    let steps = from..end;
    steps
        .map(|step| {
            let now = rate.step();
            if (step + 1).is_multiple_of(HORIZON.steps_per_epoch) {
                let mut metric = Lcg {
                    state: step,
                    wild: false,
                };
                metric.below(2);
                rate.observe(1.0 / (step as f64 + 1.0) + metric.share());
            }
            now
        })
        .collect()
}

#[test]
fn a_rate_stepped_or_resumed_is_the_rate_evaluated_alone() {
    let mut random = Lcg {
        state: 2,
        wild: false,
    };
    let end = HORIZON.steps + 10;
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut reduced = 0;
    for _ in 0..1_500 {
        let plan = random.plan();
        let Ok(rate) = plan.over(&HORIZON) else {
            continue;
        };
        for phase in &plan.phases {
            *seen.entry(name(phase)).or_default() += 1;
        }
        let mut whole = rate.clone();
        let rates = walk(&mut whole, 0, end);
        for (step, stepped) in rates.iter().enumerate() {
            assert_eq!(whole.at(step as u64), *stepped, "{plan}, step {step}");
            // A plateau alone depends on what came before.
            if rate.watches().is_none() {
                assert_eq!(rate.at(step as u64), *stepped, "{plan}, step {step}");
            }
        }
        reduced += usize::from(whole.at(end) != rate.at(end));
        // Once in an epoch, once at its end.
        let epoch = random.below(HORIZON.steps / HORIZON.steps_per_epoch) * HORIZON.steps_per_epoch;
        for stop in [random.below(HORIZON.steps), epoch] {
            let mut before = rate.clone();
            walk(&mut before, 0, stop);
            let bytes = before.to_record().into_bytes().unwrap();
            let mut resumed = rate.clone();
            let record = LrSchedulerRecord::from_bytes(bytes).unwrap();
            resumed.resume(&record).unwrap();
            assert_eq!(
                walk(&mut resumed, stop, end),
                rates[stop as usize..],
                "{plan}"
            );
            assert_eq!(resumed, whole, "{plan}");
        }
    }
    assert!(reduced > 20, "only {reduced} plateaus reduced a rate");
    assert_eq!(seen.len(), 13, "{seen:?}");
    assert!(seen.values().all(|count| *count > 10), "{seen:?}");
}
