//! What an exchange costs: `mpirun -n 4 ranks speed`.

use std::error::Error;
use std::time::Instant;

use kiln::exchange::{Exchange, Mpi};

/// Milliseconds of the median sum of each size.
pub fn print(exchange: &Mpi) -> Result<(), Box<dyn Error>> {
    for numbers in [1, 1 << 10, 1 << 16, 1 << 18, 9 << 18, 46 << 18, 128 << 18] {
        let mut gradient = vec![1f32; numbers];
        let mut times = Vec::new();
        for _ in 0..if numbers > 1 << 20 { 20 } else { 200 } {
            // All begin together.
            exchange.sum(&mut [0.0])?;
            let start = Instant::now();
            exchange.sum(&mut gradient)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        if exchange.rank() == 0 {
            let median = times[times.len() / 2];
            println!("{:>9} KiB  {median:>8.3} ms", numbers * 4 / 1024);
        }
    }
    Ok(())
}
