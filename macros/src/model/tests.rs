//! That the macro never gives up, whatever it is given, and names nothing that a user may shadow.

use proc_macro2::{Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, LitStr};

pub const DECLARATIONS: [&str; 6] = [
    "/// A small residual network.
     pub struct DigitNet {
         /// Number of classes.
         classes: usize = 10,
         drop: f64 = 0.1,
         deep: bool = true,
         channels: usize,
     }
     input image: [1, 28, 28];
     let stem = image -> conv2d(channels, kernel: 3, padding: same) -> batch_norm -> relu;
     let body: [channels, 14, 14] = stem
         -> repeat 2 * (classes - 9) {
             residual {
                 conv2d(channels, kernel: [3, 5], padding: [1, 2]) -> batch_norm(epsilon: 1e-3)
                 -> inner: conv2d(channels, kernel: 1, groups: channels, bias: false)
             } -> relu
         }
         -> max_pool2d(3, stride: 2, padding: 1);
     let logits = body -> flatten -> dropout(drop / 2) -> head: linear(classes);
     output logits;
     loss cross_entropy(label_smoothing: drop);",
    "struct Small;
     input x: [8];
     let h = x -> r#type: linear(16) -> layer_norm(bias: true) -> gelu;
     let r#fn = h -> repeat 3 { residual { linear(16) -> tanh } };
     output r#fn;
     loss mse;",
    "pub(crate) struct Pooled { width: usize = 12 }
     input image: [3, width, 2 * width + 1];
     let __ = image -> avg_pool2d([2, 3], stride: 2, count_include_pad: false)
         -> conv2d(4 * width, kernel: width / 6, stride: [1, 2], dilation: 2) -> sigmoid;
     let pooled = __ -> global_avg_pool;
     let gone = pooled -> softmax;
     output gone;
     loss mse;",
    "struct Signal { width: usize = 4, edge: f64 = 0.5 }
     input sound: [width, any length];
     let narrow = sound -> conv1d(2 * width, kernel: width, groups: 2) -> max_pool1d(2, padding: 1)
         -> conv_transpose1d(width, kernel: 2, stride: width, output_padding: width - 1);
     let high = narrow -> pad([width, 0], value: edge) -> interpolate(scale: width, mode: linear);
     let image = high -> adaptive_max_pool1d(4 * width) -> reshape([width, -1, 2])
         -> permute([2, 0, 1]) -> pixel_unshuffle(2) -> avg_pool2d(2, stride: width, ceil_mode: true);
     let column = image -> unfold2d(1) -> select(1, width / 8) -> reshape([width, 2]) -> mean(-1);
     output column;
     loss mse;",
    "struct Heads { share: f64 = 0.5, groups: usize = 2 }
     input x: [2 * groups, any length];
     let normed = x -> group_norm(groups) -> gelu(approximate: tanh) -> hardtanh(min: -share)
         -> prelu(parameters: channels, slope: share) -> rrelu(lower: share / 8) -> glu(dim: 0);
     let scores = normed -> adaptive_max_pool1d(6) -> swiglu(groups + 1) -> local_response_norm(3);
     let likely = scores -> log_softmax;
     let left = scores -> flatten -> dropout(share);
     output scores, likely, left;
     loss cross_entropy(scores, label_smoothing: share) + share * poisson_nll(left, full: true)
         + (groups + 1) * ctc(likely) + cosine_embedding(left, left, margin: -share);",
    "pub struct Graph { depth: usize = 3, width: usize = 4, drop: f64 = 0.1 }
     input tokens: int [any length];
     input observer: [length, width];
     input memory: [any elements, 1];
     let x = tokens -> embedding(7, width) -> problems: layer_norm;
     let device = (x + observer * observer -> relu) + (observer -> problems -> problems);
     let wide = concat(device, x -> tanh, dim: 1) -> r#fn: { linear(width) -> v0: linear(width) };
     let value = wide
         -> repeat depth { residual { first: linear(width) -> first } -> relu }
         -> stage: repeat index in 0..depth {
             residual(project: linear(2 * width)) {
                 linear(2 * width) -> dropout(drop * index / depth)
             }
         };
     let grown = value -> repeat n in 0..3 {
         layer[n + 1]: repeat i in 0..[1, 2, 1][n] {
             residual(shortcut: down: linear([4, 8, 6][n])) {
                 linear([4, 8, 6][n]) -> linear(if i == 0 { [4, 8, 6][n] } else { 8 })
             }
         }
     };
     let nodes: [length, width] = grown -> linear(width)
         -> ::nets::Doubled(2.0, times: depth, sizes: [1, depth]) -> block: Block(width)
         -> repeat i in 0..depth { Block(width + i - i, drop: drop) -> Doubled as [length, width] };
     let text = nodes -> multi_head_attention(2, memory: memory);
     output text, nodes;
     loss mse(nodes) + 0.5 * mse(text);",
];

/// A struct of the user's own.
const DERIVED: &str = "/// A network.
     #[model(input = int [any length], loss = mse)]
     pub struct Derived {
         #[layer(embedding(5, 4))] words: ::kiln::layer::Embedding,
         #[layer(relu)] observer: ::kiln::layer::Relu,
         #[layer(::nets::Doubled(2.0))] pub r#in: ::nets::Doubled,
     }";

/// The items and the errors of an expansion.
fn expanded(tokens: TokenStream) -> (Vec<Item>, Vec<String>) {
    messages(super::expand(tokens))
}

/// The items and the errors of what became of a declaration, which must be Rust.
fn messages(expansion: TokenStream) -> (Vec<Item>, Vec<String>) {
    let shown = expansion.to_string();
    let file: syn::File =
        syn::parse2(expansion).unwrap_or_else(|error| panic!("{error} in `{shown}`"));
    let is_error = |item: &Item| match item {
        Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => {
            Some(item.mac.parse_body::<LitStr>().expect("a message").value())
        }
        _ => None,
    };
    let errors = file.items.iter().filter_map(is_error).collect();
    (file.items, errors)
}

#[track_caller]
fn errors(declaration: &str) -> Vec<String> {
    expanded(declaration.parse().expect("tokens")).1
}

#[test]
fn what_is_right_is_no_error() {
    for declaration in DECLARATIONS {
        assert_eq!(errors(declaration), Vec::<String>::new());
    }
    let derived = super::derive(syn::parse_str(DERIVED).expect("a struct"));
    assert_eq!(messages(derived).1, Vec::<String>::new());
}

#[test]
fn every_block_is_a_struct_of_its_own() {
    let declaration = format!(
        "struct Net;
         input x: [4];
         let b1 = x -> repeat 2 {{ linear(4) }} -> relu;
         let b = b1 {} -> repeat 2 {{ repeat 2 {{ linear(4) }} }};
         let abC = b -> repeat 2 {{ linear(4) }};
         let ab_c = abC -> repeat 2 {{ linear(4) }};
         output ab_c;
         loss mse;",
        "-> relu".repeat(10),
    );
    let (items, errors) = expanded(declaration.parse().expect("tokens"));
    assert_eq!(errors, Vec::<String>::new());
    let structs = items.iter().filter_map(|item| match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        _ => None,
    });
    assert_eq!(
        structs.collect::<Vec<_>>(),
        [
            "NetConfig",
            "Net",
            "NetB10Block",
            "NetB10Block2",
            "NetB10Block2Block",
            "NetAbCBlock",
            "NetAbCBlock2",
        ],
    );
}

#[test]
fn repeats_in_repeats_are_bounded_together() {
    let chain = |chain: &str| {
        let declaration = format!(
            "struct Net {{ n: usize = 300, m: usize }} input x: [4];
             let y = x -> repeat m {{ relu }} -> {chain}; output y; loss mse;",
        );
        let (items, errors) = expanded(declaration.parse().expect("tokens"));
        let code: TokenStream = items.iter().map(ToTokens::to_token_stream).collect();
        (errors, code.to_string())
    };
    let text = "the number of repetitions, with the `repeat`s around this one, is at most 65536, \
                found";
    let deep = "repeat 65536 { repeat 65536 { repeat 65536 { linear(4) } } }";
    assert_eq!(chain(deep).0, [format!("{text} 4294967296")]);
    assert_eq!(
        chain("repeat n { tanh -> repeat n { linear(4) } }").0,
        [format!("with the defaults (n = 300), {text} 90000")],
    );
    let fine = "repeat n { repeat 2 { linear(4) } -> repeat 218 { linear(4) } }";
    assert_eq!(chain(fine).0, Vec::<String>::new());
    let (errors, code) = chain("repeat m { repeat n { linear(4) } }");
    assert_eq!(errors, Vec::<String>::new());
    assert!(code.contains(text), "`init` decides");
}

#[test]
fn a_declaration_with_an_error_still_gives_its_types() {
    for chain in [
        "lienar(10)",
        "-> linear(10)",
        "linear(10, 10)",
        "linear(clases)",
        "residual {}",
    ] {
        let declaration = format!(
            "pub struct Net {{ classes: usize = 10 }} input image: [4];
             let logits = image -> {chain}; output logits; loss cross_entropy;",
        );
        let (items, errors) = expanded(declaration.parse().expect("tokens"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        for name in ["Net", "NetConfig"] {
            let declares = |item: &Item| matches!(item, Item::Struct(item) if item.ident == name);
            assert!(items.iter().any(declares), "no `{name}` beside {errors:?}");
        }
    }
}

#[test]
fn each_wrong_example_of_the_documentation_has_one_mistake() {
    let grammar = include_str!("../../../runtime/src/model/grammar.md");
    let wrong: Vec<_> = grammar.split("```compile_fail\n").skip(1).collect();
    assert!(wrong.len() > 10);
    for example in wrong {
        let (code, _) = example.split_once("```").expect("an end");
        let file: syn::File = syn::parse_str(code).expect("Rust");
        let mut mistakes = Vec::new();
        // What a type of the user's own lacks is rustc's to say.
        let mut expected = 1;
        for item in file.items {
            match item {
                Item::Macro(item) => mistakes.extend(expanded(item.mac.tokens).1),
                Item::Struct(item) if item.attrs.is_empty() => expected = 0,
                Item::Struct(item) => {
                    let input = syn::parse2(quote::quote!(#item)).expect("a struct");
                    mistakes.extend(messages(super::derive(input)).1);
                }
                _ => {}
            }
        }
        assert_eq!(mistakes.len(), expected, "{mistakes:#?} for {code}");
    }
}

#[test]
fn no_depth_and_no_length_makes_it_panic() {
    let chain = |chain: &str| {
        errors(&format!(
            "struct Net {{ n: usize = 4 }} input x: [n]; let y = x -> {chain}; output y; loss mse;"
        ))
    };
    let deep = |open: &str, inside: &str, close: &str, depth: usize| {
        format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
    };
    assert_eq!(
        chain(&deep("residual { ", "linear(n)", "}", 20)),
        Vec::<String>::new()
    );
    assert_eq!(
        chain(&deep("repeat 2 { ", "linear(n)", "}", 16)),
        Vec::<String>::new()
    );
    for depth in [100, 400] {
        assert_eq!(chain(&deep("residual { ", "relu", "}", depth)).len(), 1);
        assert_eq!(chain(&deep("repeat 2 { ", "relu", "}", depth)).len(), 1);
        assert_eq!(
            chain(&format!("linear({})", deep("(", "n", ")", depth))).len(),
            1
        );
        assert_eq!(chain(&format!("linear({}n)", "-".repeat(depth))).len(), 1);
    }
    assert_eq!(
        chain(&format!("linear(1{})", " + 1".repeat(10_000))).len(),
        1
    );
    assert_eq!(
        chain(&format!("linear(n){}", " -> relu".repeat(3_000))),
        Vec::<String>::new()
    );
    assert_eq!(
        chain(&format!("linear(n){}", " -> linear(n * n + 1)".repeat(300))),
        Vec::<String>::new()
    );
    // Repetitions that change the shape are looked at more than once, with all within them.
    let widens = |depth| chain(&deep("repeat 1 { ", "linear(3)", "}", depth));
    assert_eq!(widens(8), Vec::<String>::new());
    let widens = widens(31);
    assert!(
        widens.len() == 1 && widens[0].contains("differ in their shapes"),
        "{widens:?}"
    );
    let wrong = chain(&deep("repeat 1 { ", "linear(0)", "}", 31));
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let grows =
        "repeat i in 0..40 { repeat j in 0..40 { repeat k in 0..40 { linear(i + j + k + 1) } } }";
    assert_eq!(chain(grows).len(), 1);
    // Numbers that grow beyond every bound, in literals and in hyper-parameters.
    assert_eq!(
        chain(&format!("linear({}1)", "2147483647 * ".repeat(20))).len(),
        1
    );
    assert_eq!(chain(&format!("linear({}1)", "n * ".repeat(60))).len(), 1);
}

#[test]
fn every_path_of_an_expansion_is_absolute_or_the_declarations_own() {
    const SHADOWED: [&str; 22] = [
        "usize", "f64", "f32", "i128", "bool", "u64", "str", "String", "Vec", "Option", "Result",
        "Some", "None", "Ok", "Err", "Box", "Clone", "Debug", "Default", "Iterator", "Tensor",
        "Module",
    ];
    fn check(tokens: TokenStream, own: &str) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // The first half of a `::`.
        let colons = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
            Some(TokenTree::Punct(punct)) => {
                punct.as_char() == ':' && punct.spacing() == Spacing::Joint
            }
            _ => false,
        };
        for (at, token) in tokens.iter().enumerate() {
            match token {
                // `use ::path::{..}`
                TokenTree::Group(_) if colons(at.checked_sub(2)) => {}
                TokenTree::Group(group) => check(group.stream(), own),
                TokenTree::Ident(word) => {
                    let (behind, before) = (colons(at.checked_sub(2)), colons(Some(at + 1)));
                    let word = word.to_string();
                    let keyword = syn::parse_str::<Ident>(&word).is_err() || word == "clippy";
                    let parameter = word.len() == 1;
                    let local =
                        keyword || parameter || word.starts_with("__") || word.starts_with(own);
                    // `.own::<..>`
                    let method = at > 0 && tokens[at - 1].to_string() == ".";
                    let root = before && !behind && !local && !method;
                    assert!(!root, "`{word}::` begins a path in scope");
                    let shadowed = SHADOWED.contains(&word.as_str()) && !behind;
                    assert!(!shadowed, "`{word}` is looked up in scope");
                }
                _ => {}
            }
        }
    }
    for (declaration, own) in DECLARATIONS
        .into_iter()
        .zip(["DigitNet", "Small", "Pooled", "Signal", "Heads", "Graph"])
    {
        check(super::expand(declaration.parse().expect("tokens")), own);
    }
    let derived = super::derive(syn::parse_str(DERIVED).expect("a struct"));
    check(derived, "Derived");
}

/// Prints how long the expansion of ResNet-50 takes; run it with `--release`.
#[test]
#[ignore = "a measurement"]
fn expansion_time() {
    let networks = include_str!("../../../models/src/resnet.rs");
    let call: syn::ItemMacro =
        syn::parse_str(&networks[networks.rfind("model! {").expect("one")..])
            .expect("a declaration");
    let mut times: Vec<_> = (0..50)
        .map(|_| {
            let start = std::time::Instant::now();
            let tokens = super::expand(call.mac.tokens.clone());
            assert!(!tokens.is_empty());
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("ResNet-50: {:?} (first {:?})", times[25], times[49]);
}
