//! Parse: tokens to statements, as they are written. Nothing is judged here but the grammar.

use proc_macro2::{Ident, TokenTree};
use syn::Token;
use syn::ext::IdentExt;
use syn::parse::ParseStream;

use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{self, Call, Expr, Head, Node, Value};

/// A declaration as it is written.
pub struct Declaration {
    pub head: Head,
    pub statements: Vec<Statement>,
    /// Whether a statement was too broken to read: what it would have said is unknown.
    pub broken: bool,
}

pub enum Statement {
    /// `input image: [1, 28, 28];`
    Input { name: Ident, dims: Value },
    /// `let name = source -> step -> step;`
    Let {
        name: Ident,
        assertion: Option<Value>,
        source: Ident,
        chain: Vec<Step>,
    },
    /// `output name;`; that there is one name is checked later.
    Output { names: Vec<Ident> },
    /// `loss call;`
    Loss { keyword: Ident, call: Call },
    /// What was to declare `name`, but could not be read. Uses of the name are no mistakes.
    Unread { name: Ident },
}

/// One step of a chain.
pub struct Step {
    pub label: Option<Ident>,
    pub kind: StepKind,
    pub pos: Pos,
}

pub enum StepKind {
    Layer(Call),
    /// `residual { .. }`
    Residual(Block),
    /// `repeat n { .. }`
    Repeat(Expr, Block),
}

pub struct Block {
    pub steps: Vec<Step>,
}

const STATEMENTS: [&str; 4] = ["input", "let", "output", "loss"];

/// Nesting beyond this is refused: a recursive parser must not exhaust the compiler's stack.
const DEEPEST: usize = 32;

pub fn parse(input: ParseStream, report: &Report) -> syn::Result<Declaration> {
    let head = Head::parse(input, report)?;
    let mut statements = Vec::new();
    let mut broken = false;
    while !input.is_empty() {
        let declared = Statement::declared(&input.fork());
        let parse = |input: ParseStream| Statement::parse(input, report);
        match syntax::statement_before(input, report, &STATEMENTS, parse) {
            Some(statement) => statements.push(statement),
            None => {
                broken = true;
                statements.extend(declared.map(|name| Statement::Unread { name }));
            }
        }
    }
    Ok(Declaration {
        head,
        statements,
        broken,
    })
}

impl Statement {
    /// The name that the statement here is to declare, however broken the rest of it is.
    fn declared(input: ParseStream) -> Option<Ident> {
        let keyword = input.call(Ident::parse_any).ok()?;
        let declares = keyword != "output" && keyword != "loss";
        input.parse().ok().filter(|_| declares)
    }

    fn parse(input: ParseStream, report: &Report) -> syn::Result<Statement> {
        let keyword = input.fork().call(Ident::parse_any).map_err(|_| {
            let words = suggest::list(&STATEMENTS);
            input.error(format!("expected a statement; one begins with {words}"))
        })?;
        let word = keyword.to_string();
        let mut meant = word.as_str();
        if !STATEMENTS.contains(&meant) {
            let hint = suggest::hint(meant, "a statement begins with", STATEMENTS);
            let message = format!("no statement begins with `{word}`{hint}");
            // With a slip of the hand in its first word the rest can still be read.
            meant = match suggest::nearest(meant, STATEMENTS) {
                Some(near) => near,
                None => return Err(input.error(message)),
            };
            report.error(&keyword, message);
        }
        input.call(Ident::parse_any)?;
        match meant {
            "input" => Statement::parse_input(input),
            "output" => Statement::parse_output(input),
            "loss" => Ok(Statement::Loss {
                keyword,
                call: Call::parse(input, report)?,
            }),
            _ => Statement::parse_let(input, report),
        }
    }

    fn parse_input(input: ParseStream) -> syn::Result<Statement> {
        let name: Ident = input.parse()?;
        if !input.peek(Token![:]) {
            let message =
                format!("`input` needs the shape of one example: `input {name}: [1, 28, 28];`");
            return Err(syn::Error::new(name.span(), message));
        }
        input.parse::<Token![:]>()?;
        if !input.peek(syn::token::Bracket) {
            let message = "expected the shape of one example in brackets, such as `[1, 28, 28]`";
            return Err(input.error(message));
        }
        Ok(Statement::Input {
            name,
            dims: Value::parse(input)?,
        })
    }

    fn parse_output(input: ParseStream) -> syn::Result<Statement> {
        let mut names = vec![input.parse()?];
        if input.peek(Token![->]) || input.peek(syn::token::Paren) {
            let message = "`output` takes the name of a value; declare what this gives with a \
                           `let` and name that";
            return Err(input.error(message));
        }
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            names.push(input.parse()?);
        }
        Ok(Statement::Output { names })
    }

    fn parse_let(input: ParseStream, report: &Report) -> syn::Result<Statement> {
        let name = input.parse()?;
        let assertion = if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            Some(Value::parse(input)?)
        } else {
            None
        };
        input.parse::<Token![=]>()?;
        let source: Ident = input.parse()?;
        if input.peek(syn::token::Paren) || input.peek(syn::token::Brace) || input.peek(Token![:]) {
            let message = format!(
                "a chain begins with a value: an input or the name of a `let`, as in \
                 `let {name} = image -> {source} -> ..`"
            );
            return Err(syn::Error::new(source.span(), message));
        }
        let mut chain = Vec::new();
        while input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            chain.push(Step::parse(input, report, 0)?);
        }
        if let Ok(found) = input.fork().parse::<TokenTree>()
            && !input.peek(Token![;])
            && !STATEMENTS.contains(&found.to_string().as_str())
        {
            let found = syntax::shown(&found);
            return Err(input.error(format!("expected `->` or `;` here, found `{found}`")));
        }
        Ok(Statement::Let {
            name,
            assertion,
            source,
            chain,
        })
    }
}

impl Step {
    fn parse(input: ParseStream, report: &Report, depth: usize) -> syn::Result<Step> {
        if depth > DEEPEST {
            return Err(input.error("blocks are nested too deeply here"));
        }
        if !input.peek(syn::Ident) {
            return Err(input.error("expected a layer, `residual { .. }` or `repeat n { .. }`"));
        }
        let label = if input.peek2(Token![:]) && !input.peek2(Token![::]) {
            let label: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            Some(label)
        } else {
            None
        };
        let word: Ident = input.fork().parse()?;
        let start = label.as_ref().map_or(Pos::from(&word), Pos::from);
        if word == "repeat" {
            input.parse::<Ident>()?;
            let count = if input.peek(syn::token::Brace) {
                let message = "`repeat` needs the number of repetitions: `repeat 2 { .. }`";
                report.error(&word, message);
                Expr {
                    node: Node::Int(1),
                    pos: (&word).into(),
                }
            } else {
                Expr::parse(input)?
            };
            let block = Block::parse(input, report, depth, "repeat 2 { .. }")?;
            let pos = Pos::from(&word);
            return Ok(Step {
                label,
                kind: StepKind::Repeat(count, block),
                pos,
            });
        }
        if word == "residual" && !input.peek2(Token![::]) {
            input.parse::<Ident>()?;
            let block = Block::parse(input, report, depth, "residual { .. }")?;
            let pos = Pos::from(&word);
            return Ok(Step {
                label,
                kind: StepKind::Residual(block),
                pos,
            });
        }
        let call = Call::parse(input, report)?;
        let pos = start.to(call.pos);
        Ok(Step {
            label,
            kind: StepKind::Layer(call),
            pos,
        })
    }
}

impl Block {
    fn parse(
        input: ParseStream,
        report: &Report,
        depth: usize,
        example: &str,
    ) -> syn::Result<Block> {
        if !input.peek(syn::token::Brace) {
            return Err(input.error(format!("expected a block here: `{example}`")));
        }
        let content;
        let brace = syn::braced!(content in input);
        if content.is_empty() {
            let pos = Pos::from(brace.span.open()).to(brace.span.close());
            report.error(
                pos,
                format!("this block holds no layer; write one into it: `{example}`"),
            );
            return Ok(Block { steps: Vec::new() });
        }
        let mut steps = vec![Step::parse(&content, report, depth + 1)?];
        while content.peek(Token![->]) {
            content.parse::<Token![->]>()?;
            steps.push(Step::parse(&content, report, depth + 1)?);
        }
        if !content.is_empty() {
            let found: TokenTree = content.fork().parse()?;
            let found = syntax::shown(&found);
            let message = format!("expected `->` or the end of the block, found `{found}`");
            return Err(content.error(message));
        }
        Ok(Block { steps })
    }
}
