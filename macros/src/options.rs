//! The `name = value` lists of all macros: `go!(name = "conn"; ...)`, `#[sward::main(workers = 4)]`.
//!
//! Both callers say which names they know; everything else about the list is the same for them: any order, each name
//! at most once, a trailing comma allowed. A mistake in a name does not end the parsing, so that one run of the
//! compiler shows all of them, and the entries that were right are still there for the caller to go on with.
//! What a value means is the caller's business.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Expr, Ident, Token};

/// One `name = value`.
pub(crate) struct Setting {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

/// The valid entries of a list, in the order written, and what was wrong with the others.
#[derive(Default)]
pub(crate) struct Settings {
    entries: Vec<Setting>,
    errors: Errors,
}

impl Settings {
    /// Parses up to the end of the input or to the first token that follows an entry and is not a comma.
    ///
    /// # Errors
    ///
    /// When there is no way to go on, as after a missing value. Unknown and doubled names alone are no reason to
    /// fail here: they wait in [`Settings::into_parts`].
    pub(crate) fn parse(input: ParseStream<'_>, known: &[&str]) -> syn::Result<Self> {
        let mut settings = Self::default();
        while !input.is_empty() && !input.peek(Token![;]) {
            if let Err(error) = settings.parse_one(input, known) {
                return Err(settings.errors.and(error));
            }
            if !input.peek(Token![,]) {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(settings)
    }

    fn parse_one(&mut self, input: ParseStream<'_>, known: &[&str]) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(error_here(input, format!("expected {}", list(known))));
        }
        let name = input.call(Ident::parse_any)?;
        let is_known = known.iter().any(|known| name == known);
        if !is_known {
            let message = format!("unknown option `{name}`: expected {}", list(known));
            self.errors.push(syn::Error::new(name.span(), message));
            // It may stand alone or have its value in parentheses, but it is reported already.
            if !input.peek(Token![=]) {
                return skip_to_comma(input);
            }
        }
        if !input.peek(Token![=]) {
            let message = format!("`{name}` needs a value: `{name} = ...`");
            return Err(syn::Error::new(name.span(), message));
        }
        input.parse::<Token![=]>()?;
        let value = bare(input.parse()?);
        if self.entries.iter().any(|entry| entry.name == name) {
            let message = format!(
                "option `{name}` is given twice: expected {}, each at most once",
                list(known)
            );
            self.errors.push(syn::Error::new(name.span(), message));
        } else if is_known {
            self.entries.push(Setting { name, value });
        }
        Ok(())
    }

    pub(crate) fn into_parts(self) -> (Vec<Setting>, Errors) {
        (self.entries, self.errors)
    }
}

/// Is the next thing `name = `? Not so for `a == b`, which is an expression.
pub(crate) fn starts_setting(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any)
        && input.peek2(Token![=])
        && !input.peek2(Token![==])
        && !input.peek2(Token![=>])
}

/// Errors on their way to the user.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Tokens that make the compiler report them.
    pub(crate) fn to_compile_error(&self) -> Option<TokenStream> {
        self.0.as_ref().map(syn::Error::to_compile_error)
    }

    /// All of them, and `last`.
    pub(crate) fn and(self, last: syn::Error) -> syn::Error {
        let Some(mut errors) = self.0 else {
            return last;
        };
        errors.combine(last);
        errors
    }
}

impl From<syn::Error> for Errors {
    fn from(error: syn::Error) -> Self {
        Self(Some(error))
    }
}

/// At the next token, or at the whole macro if there is none. Unlike `ParseBuffer::error`, which begins by telling that
/// it is the end of the input, this says what it was told to say.
pub(crate) fn error_here(input: ParseStream<'_>, message: impl Display) -> syn::Error {
    syn::Error::new(input.span(), message)
}

/// A span that shows the user's code at `location`, for tokens that we write.
///
/// They count as expanded from a macro: names of locals in them cannot meet the user's, and lints that judge the
/// user's style leave them alone.
pub(crate) fn written_at(location: Span) -> Span {
    Span::mixed_site().located_at(location)
}

/// The expression inside parentheses and inside the invisible groups that `macro_rules` puts around its fragments.
///
/// What it gives may be used only where it needs no parentheses again, as between commas.
pub(crate) fn bare(expr: Expr) -> Expr {
    match expr {
        Expr::Paren(paren) => bare(*paren.expr),
        Expr::Group(group) => bare(*group.expr),
        other => other,
    }
}

/// `` `a`, `b` or `c` ``
fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        all => all.concat(),
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) && !input.peek(Token![;]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse::Parser;

    const KNOWN: &[&str] = &["name", "stack_size"];

    /// The names found, and the errors.
    fn parse(source: &str) -> (Vec<String>, Vec<String>) {
        let parsed = (|input: ParseStream<'_>| Settings::parse(input, KNOWN)).parse_str(source);
        let (entries, errors) = match parsed {
            Ok(settings) => settings.into_parts(),
            Err(error) => (Vec::new(), error.into()),
        };
        let errors = errors.0.into_iter().flatten();
        (
            entries.iter().map(|entry| entry.name.to_string()).collect(),
            errors.map(|error| error.to_string()).collect(),
        )
    }

    #[test]
    fn any_order_and_trailing_comma() {
        let none: [String; 0] = [];
        assert_eq!(parse(""), (none.to_vec(), none.to_vec()));
        assert_eq!(parse("name = \"a\", stack_size = 64 * 1024,").0, KNOWN);
        assert_eq!(
            parse("stack_size = f(1, 2), name = x").0,
            ["stack_size", "name"]
        );
    }

    #[test]
    fn wrong_names_are_all_reported_and_the_right_ones_kept() {
        let (names, errors) = parse("nmae = 1, name = 2, alone, called(1, 2), stack_size = 3");
        assert_eq!(names, KNOWN);
        assert_eq!(
            errors,
            [
                "unknown option `nmae`: expected `name` or `stack_size`",
                "unknown option `alone`: expected `name` or `stack_size`",
                "unknown option `called`: expected `name` or `stack_size`",
            ]
        );
    }

    #[test]
    fn each_name_once() {
        let (names, errors) = parse("name = 1, name = 2, stack_size = 3");
        assert_eq!(names, KNOWN);
        assert_eq!(
            errors,
            ["option `name` is given twice: expected `name` or `stack_size`, each at most once"]
        );
        assert_eq!(
            parse("wrong = 1, wrong = 2").1.len(),
            2,
            "unknown is not doubled"
        );
    }

    #[test]
    fn what_is_not_a_list() {
        assert_eq!(parse("4").1, ["expected `name` or `stack_size`"]);
        assert_eq!(parse("name").1.len(), 1);
        assert_eq!(parse("name(4)").1.len(), 1);
        assert_eq!(parse("name =").1.len(), 1);
    }

    #[test]
    fn comparison_is_no_setting() {
        let starts = |source: &str| {
            (|input: ParseStream<'_>| {
                let starts = starts_setting(input);
                input.parse::<TokenStream>()?;
                Ok(starts)
            })
            .parse_str(source)
            .unwrap()
        };
        assert!(starts("name = 1"));
        assert!(starts("type = 1"));
        assert!(!starts("name == 1"));
        assert!(!starts("name(1)"));
        assert!(!starts("*name = 1"));
        assert!(!starts(""));
    }

    #[test]
    fn lists_read_as_english() {
        assert_eq!(list(&["a"]), "`a`");
        assert_eq!(list(&["a", "b"]), "`a` or `b`");
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
