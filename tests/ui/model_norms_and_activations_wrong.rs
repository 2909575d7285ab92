kiln::model! {
    pub struct Net { share: f64 = 1.0 }

    input image: [6, 8, 8];

    let a = image -> group_norm(4) -> relu;
    let b = image -> hardtanh(min: 1, max: -1) -> glu(dim: 3);
    let c = image -> flatten -> instance_norm -> dropout2d(0.5);
    let d = image -> gelu(approximate: tahn) -> prelu(parameters: channel);
    let e = image -> softplus(beta: 0) -> celu(alpha: -1) -> stochastic_depth(share);
    let f = image -> flatten -> linear(5) -> glu -> group_norm(5);
    let g = image -> threshold(0.5) -> rrelu(lower: 0.5) -> local_response_norm(0);

    output a, b, c, d, e, f, g;
    loss mse(a);
}

fn main() {}
