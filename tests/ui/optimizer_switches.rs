use kiln::optimizer;

optimizer! {
    pub struct Switches;

    update adam();
    switch at 80 % to sgd(momentum: 0.9) for bias;
    switch at 80 % to sgd(momentum: 0.9);
    switch at 60 % to sgd();
    switch at 60 % to adam();
    switch at 110 % to sgd();
    switch at 99 % to sgdd(momentum: 0.9) for norm;
}

optimizer! {
    pub struct Unread;

    update adam();
    switch at 90 % to;
    switch at 90 to sgd();
    switch to sgd() at 90 %;
    switch at 95 % sgd();
}

fn main() {}
