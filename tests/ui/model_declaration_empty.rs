kiln::model! {}

fn main() {}
