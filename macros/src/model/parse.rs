//! Stage one: tokens to statements, as they are written. Nothing is checked here but the grammar.

use proc_macro2::{Ident, TokenTree};
use syn::Token;
use syn::parse::ParseStream;

use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{self, Call, Expr, Head, Value};

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
    Let { name: Ident, assertion: Option<Value>, source: Ident, chain: Vec<Step> },
    /// `output name;`
    Output { keyword: Ident, name: Ident },
    /// `loss call;`
    Loss { keyword: Ident, call: Call },
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
        match syntax::statement(input, report, |input| Statement::parse(input, report)) {
            Some(statement) => statements.push(statement),
            None => broken = true,
        }
    }
    Ok(Declaration { head, statements, broken })
}

impl Statement {
    fn parse(input: ParseStream, report: &Report) -> syn::Result<Statement> {
        if input.peek(Token![let]) {
            input.parse::<Token![let]>()?;
            return Statement::parse_let(input, report);
        }
        let keyword: Ident = input.fork().parse().map_err(|_| {
            let words = suggest::list(&STATEMENTS);
            input.error(format!("expected a statement; one begins with {words}"))
        })?;
        match keyword.to_string().as_str() {
            "input" => {
                input.parse::<Ident>()?;
                let name = input.parse()?;
                input.parse::<Token![:]>()?;
                if !input.peek(syn::token::Bracket) {
                    let message = "expected the shape of one example in brackets, such as `[1, 28, 28]`";
                    return Err(input.error(message));
                }
                Ok(Statement::Input { name, dims: Value::parse(input)? })
            }
            "output" => {
                input.parse::<Ident>()?;
                Ok(Statement::Output { keyword, name: input.parse()? })
            }
            "loss" => {
                input.parse::<Ident>()?;
                Ok(Statement::Loss { keyword, call: Call::parse(input, report)? })
            }
            other => {
                let hint = suggest::hint(other, "a statement begins with", STATEMENTS);
                Err(input.error(format!("no statement begins with `{other}`{hint}")))
            }
        }
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
                 `let {name} = image -> {source}..`"
            );
            return Err(syn::Error::new(source.span(), message));
        }
        let mut chain = Vec::new();
        while input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            chain.push(Step::parse(input, report, 0)?);
        }
        Ok(Statement::Let { name, assertion, source, chain })
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
            let count = Expr::parse(input)?;
            let block = Block::parse(input, report, depth, "repeat 2 { .. }")?;
            let pos = Pos::from(&word);
            return Ok(Step { label, kind: StepKind::Repeat(count, block), pos });
        }
        if word == "residual" && !input.peek2(Token![::]) {
            input.parse::<Ident>()?;
            let block = Block::parse(input, report, depth, "residual { .. }")?;
            let pos = Pos::from(&word);
            return Ok(Step { label, kind: StepKind::Residual(block), pos });
        }
        let call = Call::parse(input, report)?;
        let pos = start.to(call.pos);
        Ok(Step { label, kind: StepKind::Layer(call), pos })
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
            return Err(syn::Error::new(brace.span.join(), "this block holds no layer"));
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
