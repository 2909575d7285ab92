//! A path that leads nowhere: rustc says so at the path.

kiln::model! {
    pub struct Owns { width: usize = 4 }
    input x: [4];
    let y = x -> Twice(width) as [8];
    output y;
}

kiln::model! {
    pub struct Paths { width: usize = 4 }
    input x: [4];
    let y = x -> own::Twice(width) as [8];
    output y;
}

fn main() {}
