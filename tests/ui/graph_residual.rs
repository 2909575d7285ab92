//! What goes around a residual block.

kiln::model! {
    pub struct Shortcuts { blocks: usize = 3 }
    input image: [3, 8, 8];
    let a = image -> residual(shortcuts: conv2d(8, kernel: 1)) { conv2d(8, kernel: 1) };
    let b = image -> residual(shortcut: conv2d(8, kernel: 1)) { conv2d(16, kernel: 1) };
    let c = image -> residual(project: conv2d(8, kernel: 1)) { conv2d(16, kernel: 3) };
    let d = image -> residual(conv2d(8, kernel: 1)) { conv2d(8, kernel: 1) };
    let e = image -> residual() { conv2d(3, kernel: 1) };
    let f = image -> residual(shortcut: ) { conv2d(3, kernel: 1) };
    let g = image -> residual(shortcut: conv2d(3, kernel: 1), project: relu) { relu };
    let h = image -> residual(project: conv2d(3, kernel: 1)) { conv2d(3, kernel: 1) };
    output a, b, c, d, e, f, g, h;
}

kiln::model! {
    pub struct Open { blocks: usize = 3, width: usize = 4 }
    input image: [3, 8, 8];
    let a = image -> repeat blocks {
        residual(project: conv2d(8, kernel: 1)) { conv2d(8, kernel: 3) }
    };
    let b = image -> repeat i in 0..blocks {
        residual(project: conv2d(8, kernel: 1, stride: 2)) {
            conv2d(8, kernel: 3, padding: 1, stride: 2)
        }
    };
    let c = image -> repeat i in 0..blocks { conv2d(4 + i, kernel: 1) };
    let d = image -> repeat blocks { conv2d(width, kernel: 3) };
    output a, b, c, d;
}

fn main() {}
