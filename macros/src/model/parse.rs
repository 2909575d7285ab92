//! Parse: tokens to statements, as they are written. Nothing is judged here but the grammar.

use proc_macro2::{Ident, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Token};

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
    /// `input image: [1, 28, 28];`, `input tokens: int [any length];`
    Input {
        name: Ident,
        integers: bool,
        dims: Value,
    },
    /// `let name = source -> step -> step;`
    Let {
        name: Ident,
        assertion: Option<Value>,
        source: Source,
        chain: Vec<Step>,
    },
    /// `output name, name;`
    Output { names: Vec<Ident> },
    /// `loss call + 0.5 * call;`
    Loss { keyword: Ident, terms: Vec<Term> },
    /// What was to declare `name`, but could not be read. Uses of the name are no mistakes.
    Unread { name: Ident },
}

/// Where a chain begins.
pub struct Source {
    pub kind: SourceKind,
    pub pos: Pos,
}

pub enum SourceKind {
    Name(Ident),
    /// `a + b`, `a * b`
    Join(Join, Box<[Source; 2]>),
    /// `concat(a, b, dim: 0)`
    Concat {
        parts: Vec<Source>,
        dim: Option<Expr>,
    },
    /// `(a -> step)`
    Chain(Box<Source>, Vec<Step>),
}

/// A loss, with its weight in the sum of several.
pub struct Term {
    pub weight: Option<Expr>,
    pub call: Call,
}

/// What joins two values element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    Add,
    Mul,
}

/// One step of a chain.
#[derive(Clone)]
pub struct Step {
    pub label: Option<Label>,
    pub kind: StepKind,
    pub pos: Pos,
}

/// `name: ..`, `name[i + 1]: ..`
#[derive(Clone)]
pub struct Label {
    pub name: Ident,
    /// Appended to the name.
    pub number: Option<Expr>,
}

#[derive(Clone)]
pub enum StepKind {
    Layer(Call),
    /// `path::Layer(..) as [..]`
    Own(Own),
    /// `residual { .. }`
    Residual(Option<Shortcut>, Block),
    /// `repeat n { .. }`
    Repeat(Repeat),
    /// `label: { .. }`
    Group(Block),
}

/// A layer of the user's own, and the shape that is said to come out.
#[derive(Clone)]
pub struct Own {
    pub path: syn::Path,
    pub args: Call,
    pub shape: Option<Value>,
}

/// What goes around the block of a `residual`.
#[derive(Clone)]
pub struct Shortcut {
    /// `shortcut` is always taken, `project` where the block changes the shape.
    pub always: bool,
    pub steps: Vec<Step>,
}

/// `repeat n { .. }`, `repeat i in from..to { .. }`
#[derive(Clone)]
pub struct Repeat {
    pub index: Option<Ident>,
    pub from: Option<Expr>,
    pub to: Expr,
    pub block: Block,
}

#[derive(Clone)]
pub struct Block {
    pub steps: Vec<Step>,
}

const STATEMENTS: [&str; 4] = ["input", "let", "output", "loss"];

/// Nesting beyond this is refused: a recursive parser must not exhaust the compiler's stack.
const DEEPEST: usize = 32;

/// A sum or product of more values is refused, since its tree leans as deep as it is long.
const LONGEST: usize = 64;

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

impl Term {
    fn parse(input: ParseStream, report: &Report) -> syn::Result<Term> {
        let is_loss = input.peek(syn::Ident) && !input.peek2(Token![*]);
        let weight = if is_loss {
            None
        } else {
            let weight = Expr::parse_factor(input)?;
            if !input.peek(Token![*]) {
                return Err(input.error("expected `*` and a loss behind its weight"));
            }
            input.parse::<Token![*]>()?;
            if !input.peek(syn::Ident) {
                let message = "expected a loss here; its weight goes before it: `0.5 * mse`";
                return Err(input.error(message));
            }
            Some(weight)
        };
        let call = Call::parse(input, report)?;
        Ok(Term { weight, call })
    }
}

impl Statement {
    /// The name that the statement here is to declare, however broken the rest of it is.
    fn declared(input: ParseStream) -> Option<Ident> {
        input.call(Attribute::parse_outer).ok()?;
        let keyword = input.call(Ident::parse_any).ok()?;
        let declares = keyword != "output" && keyword != "loss";
        input.parse().ok().filter(|_| declares)
    }

    fn parse(input: ParseStream, report: &Report) -> syn::Result<Statement> {
        for attr in input.call(Attribute::parse_outer)? {
            if !attr.path().is_ident("doc") {
                let message = "a statement takes no attribute but documentation; leave this out";
                report.syn(syn::Error::new_spanned(attr, message));
            }
        }
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
            "loss" => Statement::loss(keyword, input, report),
            _ => Statement::parse_let(input, report),
        }
    }

    /// The losses that stand here, with their weights.
    pub fn loss(keyword: Ident, input: ParseStream, report: &Report) -> syn::Result<Statement> {
        let mut terms = vec![Term::parse(input, report)?];
        while input.peek(Token![+]) {
            input.parse::<Token![+]>()?;
            terms.push(Term::parse(input, report)?);
        }
        if input.peek(Token![*]) {
            return Err(input.error("the weight of a loss goes before it: `0.5 * mse(y)`"));
        }
        Ok(Statement::Loss { keyword, terms })
    }

    fn parse_input(input: ParseStream) -> syn::Result<Statement> {
        let name: Ident = input.parse()?;
        if !input.peek(Token![:]) {
            let message =
                format!("`input` needs the shape of one example: `input {name}: [1, 28, 28];`");
            return Err(syn::Error::new(name.span(), message));
        }
        input.parse::<Token![:]>()?;
        Statement::input(name, input)
    }

    /// The input `name`, whose shape stands here.
    pub fn input(name: Ident, input: ParseStream) -> syn::Result<Statement> {
        let integers = match input.fork().parse::<Ident>() {
            Ok(word) if word == "int" => {
                input.parse::<Ident>()?;
                true
            }
            _ => false,
        };
        if !input.peek(syn::token::Bracket) {
            let message = "expected the shape of one example in brackets, such as `[1, 28, 28]`, \
                           or `int [10]` for integers";
            return Err(input.error(message));
        }
        Ok(Statement::Input {
            name,
            integers,
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
        let (source, chain) = Source::with_chain(input, report, &name, 0)?;
        if let Ok(found) = input.fork().parse::<TokenTree>()
            && !input.peek(Token![;])
            && !STATEMENTS.contains(&found.to_string().as_str())
        {
            let found = syntax::shown(&found);
            let hint = match found.as_str() {
                "+" | "*" if !chain.is_empty() => {
                    "; put the chain before it in parentheses: `(x -> linear(4)) + y`"
                }
                "-" | "/" => "; values are joined by `+`, `*` and `concat(a, b, dim: 0)`",
                _ => "",
            };
            let message = format!("expected `->` or `;` here, found `{found}`{hint}");
            return Err(input.error(message));
        }
        Ok(Statement::Let {
            name,
            assertion,
            source,
            chain,
        })
    }
}

impl Source {
    /// `source -> step -> step`, of the value `name`.
    fn with_chain(
        input: ParseStream,
        report: &Report,
        name: &Ident,
        depth: usize,
    ) -> syn::Result<(Source, Vec<Step>)> {
        let source = Source::sum(input, report, name, depth)?;
        let mut chain = Vec::new();
        while input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            chain.push(Step::parse(input, report, depth)?);
        }
        Ok((source, chain))
    }

    fn sum(input: ParseStream, report: &Report, name: &Ident, depth: usize) -> syn::Result<Source> {
        let mut left = Source::product(input, report, name, depth)?;
        for _ in 0..LONGEST {
            if !input.peek(Token![+]) {
                return Ok(left);
            }
            input.parse::<Token![+]>()?;
            left = left.join(Join::Add, Source::product(input, report, name, depth)?);
        }
        Err(input.error("this sum has too many terms"))
    }

    fn product(
        input: ParseStream,
        report: &Report,
        name: &Ident,
        depth: usize,
    ) -> syn::Result<Source> {
        let mut left = Source::operand(input, report, name, depth)?;
        for _ in 0..LONGEST {
            if !input.peek(Token![*]) {
                return Ok(left);
            }
            input.parse::<Token![*]>()?;
            left = left.join(Join::Mul, Source::operand(input, report, name, depth)?);
        }
        Err(input.error("this product has too many factors"))
    }

    fn join(self, join: Join, right: Source) -> Source {
        Source {
            pos: self.pos.to(right.pos),
            kind: SourceKind::Join(join, Box::new([self, right])),
        }
    }

    fn operand(
        input: ParseStream,
        report: &Report,
        name: &Ident,
        depth: usize,
    ) -> syn::Result<Source> {
        if depth > DEEPEST {
            return Err(input.error("parentheses are nested too deeply here"));
        }
        if input.peek(syn::token::Paren) {
            let content;
            let paren = syn::parenthesized!(content in input);
            let (source, chain) = Source::with_chain(&content, report, name, depth + 1)?;
            if !content.is_empty() {
                return Err(content.error("expected `->` or `)` here"));
            }
            let pos = Pos::from(paren.span.open()).to(paren.span.close());
            return Ok(Source {
                kind: SourceKind::Chain(Box::new(source), chain),
                pos,
            });
        }
        if let Ok(found) = input.fork().parse::<TokenTree>()
            && !matches!(found, TokenTree::Ident(_))
        {
            let message = format!(
                "expected a value, an input or the name of a `let`, found `{}`",
                syntax::shown(&found),
            );
            return Err(syn::Error::new(found.span(), message));
        }
        let word: Ident = input.parse()?;
        if word == "concat" && input.peek(syn::token::Paren) {
            return Source::concat(input, report, name, &word, depth);
        }
        let begins = |token: bool| token && depth == 0;
        if input.peek(syn::token::Paren)
            || input.peek(syn::token::Brace)
            || begins(input.peek(Token![:]))
        {
            let message = format!(
                "a chain begins with a value: an input or the name of a `let`, as in \
                 `let {name} = image -> {word} -> ..`"
            );
            return Err(syn::Error::new(word.span(), message));
        }
        Ok(Source {
            pos: (&word).into(),
            kind: SourceKind::Name(word),
        })
    }

    /// The arguments of `concat`.
    fn concat(
        input: ParseStream,
        report: &Report,
        name: &Ident,
        word: &Ident,
        depth: usize,
    ) -> syn::Result<Source> {
        let content;
        let paren = syn::parenthesized!(content in input);
        let mut parts = Vec::new();
        let mut dim = None;
        while !content.is_empty() {
            if content.peek(syn::Ident) && content.peek2(Token![:]) {
                let key: Ident = content.parse()?;
                content.parse::<Token![:]>()?;
                let value = Expr::parse(&content)?;
                if key != "dim" {
                    let hint = suggest::hint(&key.to_string(), "it has", ["dim"]);
                    report.error(&key, format!("`concat` has no parameter `{key}`{hint}"));
                } else if dim.is_some() {
                    report.error(&key, "`concat` is given `dim` twice");
                } else {
                    dim = Some(value);
                }
            } else {
                let (source, chain) = Source::with_chain(&content, report, name, depth + 1)?;
                parts.push(match chain.last() {
                    None => source,
                    Some(last) => Source {
                        pos: source.pos.to(last.pos),
                        kind: SourceKind::Chain(Box::new(source), chain),
                    },
                });
            }
            if content.is_empty() {
                break;
            }
            content.parse::<Token![,]>()?;
        }
        Ok(Source {
            kind: SourceKind::Concat { parts, dim },
            pos: Pos::from(word).to(paren.span.close()),
        })
    }
}

impl Step {
    pub fn parse(input: ParseStream, report: &Report, depth: usize) -> syn::Result<Step> {
        if depth > DEEPEST {
            return Err(input.error("blocks are nested too deeply here"));
        }
        if input.peek(syn::token::Brace) {
            let message = "a group of layers has a label: `name: { linear(4) -> relu }`";
            return Err(input.error(message));
        }
        if !input.peek(syn::Ident) && !Own::begins(input) {
            return Err(input.error("expected a layer, `residual { .. }` or `repeat n { .. }`"));
        }
        let label = Label::parse(input)?;
        if let Some(label) = label.as_ref().filter(|_| input.peek(syn::token::Brace)) {
            let block = Block::parse(input, report, depth, "{ conv2d(8, kernel: 3) -> relu }")?;
            return Ok(Step {
                pos: (&label.name).into(),
                label: Some(label.clone()),
                kind: StepKind::Group(block),
            });
        }
        let pos_of = |pos: Pos| {
            label
                .as_ref()
                .map_or(pos, |label| Pos::from(&label.name).to(pos))
        };
        if Own::begins(input) {
            let (own, pos) = Own::parse(input, report)?;
            return Ok(Step {
                pos: pos_of(pos),
                label,
                kind: StepKind::Own(own),
            });
        }
        let word: Ident = input.fork().parse()?;
        if word == "repeat" {
            input.parse::<Ident>()?;
            return Ok(Step {
                label,
                kind: StepKind::Repeat(Repeat::parse(input, report, &word, depth)?),
                pos: (&word).into(),
            });
        }
        if word == "residual" {
            input.parse::<Ident>()?;
            let shortcut = match input.peek(syn::token::Paren) {
                true => Some(Shortcut::parse(input, report, depth)?),
                false => None,
            };
            let block = Block::parse(input, report, depth, "residual { .. }")?;
            return Ok(Step {
                label,
                kind: StepKind::Residual(shortcut, block),
                pos: (&word).into(),
            });
        }
        let call = Call::parse(input, report)?;
        Ok(Step {
            pos: pos_of(call.pos),
            label,
            kind: StepKind::Layer(call),
        })
    }

    /// Shows `see` every expression in it.
    fn exprs_mut(&mut self, see: &mut dyn FnMut(&mut Expr)) {
        let arguments = |call: &mut Call, see: &mut dyn FnMut(&mut Expr)| {
            let values = call.args.iter_mut().map(|arg| &mut arg.value);
            values.flat_map(Value::exprs_mut).for_each(see);
        };
        if let Some(number) = self.label.as_mut().and_then(|label| label.number.as_mut()) {
            see(number);
        }
        match &mut self.kind {
            StepKind::Layer(call) => arguments(call, see),
            StepKind::Own(own) => {
                arguments(&mut own.args, see);
                own.shape
                    .iter_mut()
                    .flat_map(Value::exprs_mut)
                    .for_each(see);
            }
            StepKind::Residual(shortcut, block) => {
                let around = shortcut.iter_mut().flat_map(|shortcut| &mut shortcut.steps);
                for step in around.chain(&mut block.steps) {
                    step.exprs_mut(see);
                }
            }
            StepKind::Repeat(repeat) => {
                repeat
                    .from
                    .iter_mut()
                    .chain([&mut repeat.to])
                    .for_each(&mut *see);
                for step in &mut repeat.block.steps {
                    step.exprs_mut(see);
                }
            }
            StepKind::Group(block) => {
                for step in &mut block.steps {
                    step.exprs_mut(see);
                }
            }
        }
    }
}

impl Label {
    /// The label that stands here, if one does.
    fn parse(input: ParseStream) -> syn::Result<Option<Label>> {
        let colon = |input: ParseStream| input.peek(Token![:]) && !input.peek(Token![::]);
        let ahead = input.fork();
        if ahead.call(Ident::parse_any).is_err() {
            return Ok(None);
        }
        let numbered = ahead.peek(syn::token::Bracket);
        if numbered {
            ahead.parse::<TokenTree>()?;
        }
        if !colon(&ahead) {
            return Ok(None);
        }
        let name = input.call(Ident::parse_any)?;
        let number = if numbered {
            let content;
            syn::bracketed!(content in input);
            let number = Expr::parse(&content)?;
            if !content.is_empty() {
                return Err(content.error("expected `]` or an operator here"));
            }
            Some(number)
        } else {
            None
        };
        input.parse::<Token![:]>()?;
        Ok(Some(Label { name, number }))
    }
}

impl Own {
    /// A path, or a name in capitals: no layer of the language has either.
    fn begins(input: ParseStream) -> bool {
        let named = |word: &Ident| word.unraw().to_string().starts_with(char::is_uppercase);
        input.peek(Token![::])
            || input.peek(Token![crate])
            || input.peek(Token![self])
            || input.peek(Token![super])
            || input.peek(syn::Ident) && input.peek2(Token![::])
            || input.fork().parse().is_ok_and(|word: Ident| named(&word))
    }

    fn parse(input: ParseStream, report: &Report) -> syn::Result<(Own, Pos)> {
        let path = input.call(syn::Path::parse_mod_style)?;
        let Some(name) = path.segments.last().map(|segment| segment.ident.clone()) else {
            return Err(input.error("expected the path of a layer"));
        };
        let first = path
            .segments
            .first()
            .map_or(name.span(), |s| s.ident.span());
        let args = Call::arguments_of(name, input, report)?;
        let mut pos = Pos::from(first).to(args.pos);
        let shape = if input.peek(Token![as]) {
            input.parse::<Token![as]>()?;
            if !input.peek(syn::token::Bracket) {
                let message = "expected the shape that comes out, in brackets: `as [32, 14, 14]`";
                return Err(input.error(message));
            }
            let shape = Value::parse(input)?;
            pos = pos.to(shape.pos);
            Some(shape)
        } else {
            None
        };
        Ok((Own { path, args, shape }, pos))
    }
}

impl Shortcut {
    /// `(shortcut: step -> step)` or `(project: ..)`.
    fn parse(input: ParseStream, report: &Report, depth: usize) -> syn::Result<Shortcut> {
        const KEYS: [&str; 2] = ["shortcut", "project"];
        let content;
        let paren = syn::parenthesized!(content in input);
        let example = "`residual(shortcut: conv2d(16, kernel: 1)) { .. }`";
        if !content.peek(syn::Ident) || !content.peek2(Token![:]) {
            let message = format!("`residual` takes what goes around its block by name: {example}");
            // The end of the input has no place of its own.
            return Err(match content.is_empty() {
                true => syn::Error::new(paren.span.join(), message),
                false => content.error(message),
            });
        }
        let key: Ident = content.parse()?;
        content.parse::<Token![:]>()?;
        let word = key.to_string();
        if !KEYS.contains(&word.as_str()) {
            let hint = suggest::hint(&word, "it has", KEYS);
            report.error(&key, format!("`residual` has no parameter `{word}`{hint}"));
        }
        let steps = Block::steps(&content, report, depth, "the end of the parentheses")?;
        let meant = suggest::nearest(&word, KEYS);
        Ok(Shortcut {
            always: meant != Some("project"),
            steps,
        })
    }
}

impl Repeat {
    /// What comes behind the `keyword`.
    fn parse(
        input: ParseStream,
        report: &Report,
        keyword: &Ident,
        depth: usize,
    ) -> syn::Result<Repeat> {
        let index = if input.peek2(Token![in]) {
            let index: Ident = input.parse()?;
            input.parse::<Token![in]>()?;
            Some(index)
        } else {
            None
        };
        let (from, to) = if input.peek(syn::token::Brace) {
            let message = "`repeat` needs the number of repetitions: `repeat 2 { .. }`";
            report.error(keyword, message);
            let one = Expr {
                node: Node::Int(1),
                pos: keyword.into(),
            };
            (None, one)
        } else {
            let first = Expr::parse(input)?;
            if input.peek(Token![..=]) {
                let message = "a range ends before its end: write `0..5` for `0..=4`";
                report.error(&input.parse::<TokenTree>()?, message);
                // The other two of its three characters.
                input.parse::<TokenTree>()?;
                input.parse::<TokenTree>()?;
                (Some(first), Expr::parse(input)?)
            } else if input.peek(Token![..]) {
                input.parse::<Token![..]>()?;
                (Some(first), Expr::parse(input)?)
            } else {
                (None, first)
            }
        };
        if let (None, Some(from)) = (&index, &from) {
            let message = "a range needs the name of its index: `repeat i in 0..4 { .. }`; without \
                           one write the number of repetitions: `repeat 4 { .. }`";
            report.error(from.pos.to(to.pos), message);
        }
        if let (Some(index), None) = (&index, &from) {
            let message = format!("`{index}` needs a range: `repeat {index} in 0..4 {{ .. }}`");
            report.error(to.pos, message);
        }
        let block = Block::parse(input, report, depth, "repeat 2 { .. }")?;
        Ok(Repeat {
            index,
            from,
            to,
            block,
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
        Ok(Block {
            steps: Block::steps(&content, report, depth, "the end of the block")?,
        })
    }

    /// `step -> step`, up to `end`.
    fn steps(
        input: ParseStream,
        report: &Report,
        depth: usize,
        end: &str,
    ) -> syn::Result<Vec<Step>> {
        let mut steps = vec![Step::parse(input, report, depth + 1)?];
        while input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            steps.push(Step::parse(input, report, depth + 1)?);
        }
        if !input.is_empty() {
            let found: TokenTree = input.fork().parse()?;
            let found = syntax::shown(&found);
            return Err(input.error(format!("expected `->` or {end}, found `{found}`")));
        }
        Ok(steps)
    }

    /// The block with `value` in the place of the index `name`, and whether that was in it.
    pub fn with(&self, name: &Ident, value: u64) -> (Block, bool) {
        let mut block = self.clone();
        let mut found = false;
        for step in &mut block.steps {
            step.exprs_mut(&mut |expr| found |= expr.substitute(name, value));
        }
        (block, found)
    }
}
