//! Arguments against a signature: unknown, missing, doubled and misplaced ones are reported here,
//! for every layer, phase, rule and loss alike.

use proc_macro2::Ident;

use super::{Call, Expr, Head, HyperType, Node, Value, ValueKind};
use crate::report::{Pos, Report};
use crate::suggest;

/// A parameter of a layer, phase or rule.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub required: bool,
}

/// What a call may be given. The first `positional` parameters may be written without their key.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub params: &'static [Param],
    pub positional: usize,
}

impl Param {
    pub const fn required(name: &'static str) -> Param {
        Param {
            name,
            required: true,
        }
    }

    pub const fn optional(name: &'static str) -> Param {
        Param {
            name,
            required: false,
        }
    }
}

/// The arguments of one call, each under its parameter's name.
pub struct Bound<'a> {
    /// The name that was called.
    pub name: &'a Ident,
    /// The whole call.
    pub pos: Pos,
    args: Vec<(&'static str, &'a Value)>,
    head: &'a Head,
    report: &'a Report,
    /// Whether a required argument is missing.
    pub incomplete: bool,
}

impl Signature {
    /// `name(first, key: ..)` in words, for messages.
    fn shown(&self, name: &Ident) -> String {
        let params = self.params.iter().enumerate().map(|(i, param)| {
            let key = if i < self.positional {
                param.name.into()
            } else {
                format!("{}: ..", param.name)
            };
            if param.required {
                key
            } else {
                format!("[{key}]")
            }
        });
        format!("{name}({})", params.collect::<Vec<_>>().join(", "))
    }

    /// Puts each argument under its parameter.
    pub fn bind<'a>(&self, call: &'a Call, head: &'a Head, report: &'a Report) -> Bound<'a> {
        let mut bound = Bound {
            name: &call.name,
            pos: call.pos,
            args: Vec::new(),
            head,
            report,
            incomplete: false,
        };
        let name = &call.name;
        let mut position = 0;
        let mut misplaced = false;
        // Parameters that an unknown key was probably meant to be: they are not missing as well.
        let mut meant = Vec::new();
        for arg in &call.args {
            let param = match &arg.key {
                Some(key) => {
                    let found = self.params.iter().find(|param| key == param.name);
                    if found.is_none() {
                        let keys = self.params.iter().map(|param| param.name);
                        meant.extend(suggest::nearest(&key.to_string(), keys.clone()));
                        let message = if self.params.is_empty() {
                            format!("`{name}` takes no arguments, found `{key}`")
                        } else {
                            let hint = suggest::hint(&key.to_string(), "its parameters are", keys);
                            format!("`{name}` has no parameter `{key}`{hint}")
                        };
                        report.error(key, message);
                    }
                    found
                }
                None => {
                    position += 1;
                    let found = self.params[..self.positional].get(position - 1);
                    if found.is_none() && !misplaced {
                        misplaced = true;
                        let shown = self.shown(name);
                        let message = match (self.positional, self.params.len()) {
                            (_, 0) => format!("`{name}` takes no arguments"),
                            (0, _) => format!("`{name}` takes its arguments by name: `{shown}`"),
                            (n, _) => format!(
                                "`{name}` takes {n} argument{} without a name, this is number {position}: `{shown}`",
                                if n == 1 { "" } else { "s" },
                            ),
                        };
                        report.error(arg.value.pos, message);
                    }
                    found
                }
            };
            let Some(param) = param else { continue };
            if bound.value(param.name).is_some() {
                let pos = arg.key.as_ref().map_or(arg.value.pos, Pos::from);
                report.error(pos, format!("`{name}` is given `{}` twice", param.name));
            } else {
                bound.args.push((param.name, &arg.value));
            }
        }
        for param in self.params {
            if param.required && bound.value(param.name).is_none() {
                bound.incomplete = true;
                // What was misplaced may be what is missing.
                if !call.broken && !misplaced && !meant.contains(&param.name) {
                    let shown = self.shown(name);
                    report.error(
                        call.pos,
                        format!("`{name}` needs `{}`: `{shown}`", param.name),
                    );
                }
            }
        }
        bound
    }
}

impl<'a> Bound<'a> {
    /// The value given for `name`, as it was written.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.args
            .iter()
            .find(|(param, _)| *param == name)
            .map(|(_, value)| *value)
    }

    /// Where the value of `name` stands; the call itself where it was left out.
    pub fn pos(&self, name: &str) -> Pos {
        self.value(name).map_or(self.pos, |value| value.pos)
    }

    /// A single expression of type `wanted`, without a unit. Reports what is not; `None` then, or
    /// where the argument was left out.
    pub fn expr(&self, name: &str, wanted: HyperType) -> Option<&'a Expr> {
        let value = self.value(name)?;
        self.no_unit(value);
        match &value.kind {
            ValueKind::Expr(expr) => expr.check(wanted, self.head, self.report).then_some(expr),
            ValueKind::List(_) | ValueKind::Text(_) => {
                let found = match value.kind {
                    ValueKind::Text(_) => "a text",
                    _ => "a list",
                };
                let wanted = wanted.described();
                self.report
                    .error(value.pos, format!("expected {wanted}, found {found}"));
                None
            }
        }
    }

    /// A whole number.
    pub fn int(&self, name: &str) -> Option<&'a Expr> {
        self.expr(name, HyperType::Int)
    }

    /// A real number.
    pub fn float(&self, name: &str) -> Option<&'a Expr> {
        let expr = self.expr(name, HyperType::Float)?;
        let early = expr.is_early(&format!("`{name}`"), self.head, self.report);
        early.then_some(expr)
    }

    /// A literal `true` or `false`; a hyper-parameter would change what parameters there are.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        let Some(expr) = self.expr(name, HyperType::Bool) else {
            return default;
        };
        match &expr.node {
            Node::Bool(value) => *value,
            _ => {
                let message = format!("`{name}` must be written as `true` or `false` here");
                self.report.error(expr.pos, message);
                default
            }
        }
    }

    /// One whole number for all `axes`, or a list of one for each.
    pub fn sizes(&self, name: &str, axes: &[&str]) -> Option<Vec<&'a Expr>> {
        let value = self.value(name)?;
        let ValueKind::List(items) = &value.kind else {
            return self.int(name).map(|expr| vec![expr; axes.len()]);
        };
        let items = self.whole(value, items)?;
        if items.len() != axes.len() {
            let message = format!(
                "`{name}` takes one number or `[{}]`, found a list of {}",
                axes.join(", "),
                items.len(),
            );
            self.report.error(value.pos, message);
            return None;
        }
        Some(items)
    }

    /// A list of whole numbers.
    pub fn list(&self, name: &str) -> Option<Vec<&'a Expr>> {
        let value = self.value(name)?;
        let ValueKind::List(items) = &value.kind else {
            let message = format!("`{name}` takes a list of whole numbers, such as `[2, 3]`");
            self.report.error(value.pos, message);
            return None;
        };
        self.whole(value, items)
    }

    fn whole(&self, value: &Value, items: &'a [Expr]) -> Option<Vec<&'a Expr>> {
        self.no_unit(value);
        // Every one is looked at: each may be wrong.
        let wrong = items
            .iter()
            .filter(|item| !item.check(HyperType::Int, self.head, self.report))
            .count();
        (wrong == 0).then(|| items.iter().collect())
    }

    /// One of `words`, or what the caller takes where none was given. A word that is none of them
    /// is reported.
    pub fn choice(&self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let value = self.value(name)?;
        self.no_unit(value);
        let word = value.expr().and_then(Expr::word);
        let found = word.and_then(|word| words.iter().find(|choice| word == *choice));
        if found.is_none() {
            let shown = suggest::list(words);
            let message = match word {
                Some(word) => {
                    let hint = suggest::nearest(&word.to_string(), words.iter().copied());
                    let hint =
                        hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                    format!("`{name}` is one of {shown}, found `{word}`{hint}")
                }
                None => format!("`{name}` is one of {shown}"),
            };
            self.report.error(value.pos, message);
        }
        found.copied()
    }

    fn no_unit(&self, value: &Value) {
        if let Some((_, pos)) = &value.unit {
            self.report.error(*pos, "a unit has no place here");
        }
    }
}
