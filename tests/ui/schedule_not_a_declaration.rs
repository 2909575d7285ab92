use kiln::schedule;

schedule! {
    peak 0.1;
    cosine;
}

fn main() {}
