kiln::model! {
    pub struct Net {}
}

fn main() {}
