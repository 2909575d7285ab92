//! Networks of several shapes, to be looked at.

use kiln::prelude::*;

model! {
    /// The structure of torchvision's ResNet-18 or ResNet-34.
    pub struct ResNet { blocks: usize = 2, deep: usize = 2 }
    input image: [3, 64, 64];
    let scores = image
        -> conv1: conv2d(64, kernel: 7, stride: 2, padding: 3, bias: false) -> bn1: batch_norm
        -> relu -> max_pool2d(3, stride: 2, padding: 1)
        -> layer1: repeat blocks {
            residual {
                conv1: conv2d(64, kernel: 3, padding: 1, bias: false) -> bn1: batch_norm -> relu
                -> conv2: conv2d(64, kernel: 3, padding: 1, bias: false) -> bn2: batch_norm
            } -> relu
        }
        -> layer2: repeat i in 0..deep {
            residual(project: downsample: {
                conv2d(128, kernel: 1, stride: 2, bias: false) -> batch_norm
            }) {
                conv1: conv2d(
                    128, kernel: 3, padding: 1, stride: if i == 0 { 2 } else { 1 }, bias: false,
                )
                -> bn1: batch_norm -> relu
                -> conv2: conv2d(128, kernel: 3, padding: 1, bias: false) -> bn2: batch_norm
            } -> relu
        }
        -> global_avg_pool -> fc: linear(10);
    output scores;
    loss cross_entropy;
}

model! {
    /// Two images, two results.
    pub struct Joined { channels: usize = 3 }
    input left: [2, 4, 4];
    input right: [channels, 4, 4];
    let a = left -> conv2d(channels, kernel: 1);
    let both = a + right * a -> relu;
    let wide = concat(both, right -> tanh, left, dim: 0);
    let scores = (wide -> flatten -> linear(5)) + (both -> global_avg_pool -> linear(5)) -> gelu
        -> linear(2);
    output scores, wide;
}

model! {
    /// A block with a residual.
    pub struct Block { channels: usize, inner: usize = 2 }
    input x: [channels, 4, 4];
    let y = x -> residual { conv2d(inner, kernel: 1) -> relu -> conv2d(channels, kernel: 1) };
    output y;
}

model! {
    /// Networks in repetitions in repetitions, and one by itself.
    pub struct Nested { channels: usize = 6 }
    input r#in: [channels, 4, 4];
    let y = r#in
        -> block: Block(channels)
        -> stage: repeat 2 { residual { repeat 3 { Block(channels, inner: 2 + 1) } } -> relu }
        -> flatten -> linear(3);
    output y;
    loss cross_entropy;
}

model! {
    /// A U-net: what each depth of the way down gives goes into the way up.
    pub struct UNet;
    input image: [1, 16, 16];
    let a = image -> conv2d(8, kernel: 3, padding: 1) -> relu;
    let b = a -> max_pool2d(2) -> conv2d(16, kernel: 3, padding: 1) -> relu;
    let c = b -> max_pool2d(2) -> conv2d(16, kernel: 3, padding: 1) -> relu;
    let d = concat(c -> conv2d(32, kernel: 1), c, dim: 0) -> conv2d(16, kernel: 1);
    let e = d * c + d -> relu -> max_pool2d(1) -> relu -> relu;
    let g = concat(b -> max_pool2d(2), e, dim: 0) -> conv2d(8, kernel: 1);
    let h = concat(a -> max_pool2d(4), g, dim: 0) -> conv2d(8, kernel: 1) -> relu;
    output h;
}

model! {
    /// One layer for both sides.
    pub struct Twins;
    input left: [6];
    input right: [any n, 6];
    let a = left -> encode: linear(4);
    let b = right -> encode -> tanh;
    let distance = a -> linear(1);
    output distance, b;
}
