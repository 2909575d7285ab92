kiln::model! {
    pub struct Net { classes: usize = 10 }

    input image: [1, 28, 28];

    let classes = image -> flatten -> linear(classes);

    output classes;
    loss cross_entropy;
}

fn main() {}
