//! Exchanges without a training, and the ways in which one rank can end them.

use std::process::{Command, exit, id};
use std::thread::sleep;
use std::time::Duration;

use kiln::exchange::{Exchange, Mpi};
use serde_json::json;

use super::Outcome;

/// The rank that ends.
const ENDS: usize = 2;

/// Sums and broadcasts of many sizes, across the pieces in which they are done. The bits of the
/// sums, and of their errors against sums in double precision the largest.
pub fn exchanges(exchange: &Mpi) -> Outcome {
    let (rank, ranks) = (exchange.rank(), exchange.ranks());
    let number = |rank: usize, index: usize| ((7 * index + 13 * rank) as f64).sin();
    if ranks == 1 {
        exchange.fail("a training ended with an error, and the next one begins");
    }
    let (mut bits, mut error) = (Vec::new(), 0f64);
    for size in [0, 1, 1000, 1 << 18, (1 << 19) + 17] {
        let mut single: Vec<f32> = (0..size).map(|i| number(rank, i) as f32).collect();
        let mut double: Vec<f64> = (0..size).map(|i| number(rank, i)).collect();
        exchange.sum(&mut single)?;
        exchange.sum_double(&mut double)?;
        for index in 0..size {
            let sum: f64 = (0..ranks).map(|rank| number(rank, index)).sum();
            error = error.max((double[index] - sum).abs());
            error = error.max((f64::from(single[index]) - sum).abs() * 1e-8);
        }
        let single = single.iter().map(|sum| u64::from(sum.to_bits()));
        let all = single.chain(double.iter().map(|sum| sum.to_bits()));
        bits.push(all.fold(0u64, |hash, bits| hash.wrapping_mul(31).wrapping_add(bits)));

        let sent: Vec<u8> = (0..size).map(|index| index as u8).collect();
        // What the others hold before, and how much of it, makes no difference.
        let mut bytes = if rank == 0 {
            sent.clone()
        } else {
            vec![1; 3 * rank]
        };
        exchange.broadcast(&mut bytes)?;
        if bytes != sent {
            return Err(format!("a broadcast of {size} bytes changed them").into());
        }
    }
    Ok(json!({ "bits": bits, "error": error }))
}

/// Rank 0 comes to its end long after the others.
pub fn late(exchange: &Mpi) -> Outcome {
    if exchange.rank() == 0 {
        sleep(Duration::from_secs(4));
    }
    Ok(json!(null))
}

/// Exchanges without end, but for rank 2, which goes `how` in their middle.
pub fn ends(exchange: &Mpi, how: &str) -> Outcome {
    for round in 0..3000 {
        sleep(Duration::from_millis(10));
        let ending = exchange.rank() == ENDS && round == 20;
        match how {
            "fail" if ending => {
                exchange.fail("the disk of this rank is full");
                return Err("its own error".into());
            }
            "leave" if ending => return Err("its own error".into()),
            "finish" if ending => return Ok(json!(null)),
            "panic" if ending => panic!("a panic in one rank"),
            "exit" if ending => exit(0),
            "kill" if ending => {
                Command::new("kill")
                    .args(["-9", &id().to_string()])
                    .status()?;
            }
            "stop" if ending => {
                Command::new("kill")
                    .args(["-STOP", &id().to_string()])
                    .status()?;
            }
            "more" if ending => exchange.sum(&mut [0.0; 5])?,
            "other" if ending => exchange.broadcast(&mut Vec::new())?,
            _ => exchange.sum(&mut [0.0; 4])?,
        }
    }
    Err("nothing ended the exchanges".into())
}
