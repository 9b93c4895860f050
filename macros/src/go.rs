//! `go!`: what to run, told apart by its form, and the call that spawns it.
//!
//! A closure or a path is a callable and goes to `spawn` as it is; any other expression, blocks included, becomes the
//! body of a `move` closure. The forms are told apart by syntax alone, looking through parentheses.
//!
//! Generated tokens carry the location of what the user wrote, so that a type error (a capture that is not `Send`,
//! a borrow that does not live long enough) is shown there. Stable Rust cannot join two locations into one, but the
//! compiler does it for what it parses: a closure whose first token lies at the start of the user's expression and whose
//! last token lies at its end is shown as that expression.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprClosure, Token};

use crate::options::{Errors, Setting, Settings, bare, error_here, starts_setting, written_at};

const OPTIONS: &[&str] = &["name", "stack_size"];

/// What takes the place of `go!(input)`: an expression of type `::sward::JoinHandle<_>`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    match syn::parse2::<Go>(input) {
        Ok(go) => go.into_token_stream(),
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote!({ #errors })
        }
    }
}

struct Go {
    options: Vec<Setting>,
    work: Work,
    /// What was wrong with the options. The work is spawned all the same: nobody is helped by hearing as well that
    /// its variables are unused.
    errors: Errors,
}

impl Parse for Go {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut settings = Settings::default();
        if starts_setting(input) {
            settings = Settings::parse(input, OPTIONS)?;
            if let Err(error) = parse_separator(input) {
                return Err(settings.into_parts().1.and(error));
            }
        }
        let (options, errors) = settings.into_parts();
        match input.parse() {
            Ok(work) => Ok(Self {
                options,
                work,
                errors,
            }),
            Err(error) => Err(errors.and(error)),
        }
    }
}

impl ToTokens for Go {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            options,
            work,
            errors,
        } = self;
        let (span, _) = work.ends();
        let call = if options.is_empty() {
            quote_spanned!(span=> ::sward::spawn(#work))
        } else {
            // In the order written, which is then the order of evaluation too.
            let options = options.iter().map(|Setting { name, value }| {
                let span = written_at(name.span());
                quote_spanned!(span=> .#name(#value))
            });
            quote_spanned! {span=>
                ::sward::__private::spawned(::sward::Builder::spawn(
                    ::sward::Builder::new() #(#options)*,
                    #work
                ))
            }
        };
        tokens.extend(match errors.to_compile_error() {
            Some(errors) => quote!({ #errors #call }),
            None => call,
        });
    }
}

enum Work {
    /// A closure without parameters, or a path: something that `spawn` can call.
    Callable(Expr),
    /// Something to evaluate in the new greenlet.
    Body(Expr),
}

impl Parse for Work {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(error_here(
                input,
                "`go!` needs something to run: `go!(f(x))`, `go!(move || ...)` or `go!({ ... })`",
            ));
        }
        if input.peek(Token![let]) {
            return Err(several(input));
        }
        let work = bare(input.parse()?);
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(several(input));
        }
        match work {
            Expr::Closure(closure) => capture_by_move(closure).map(Self::Callable),
            Expr::Path(_) => Ok(Self::Callable(work)),
            Expr::Async(block) => Err(no_async(block.async_token)),
            _ => Ok(Self::Body(work)),
        }
    }
}

impl Work {
    /// The locations of the first and of the last token.
    fn ends(&self) -> (Span, Span) {
        let (Self::Callable(expr) | Self::Body(expr)) = self;
        let last = expr.to_token_stream().into_iter().last();
        let last = last.map_or_else(|| expr.span(), |token| token.span());
        (written_at(expr.span()), written_at(last))
    }
}

/// The argument of `spawn`.
impl ToTokens for Work {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Callable(callable) => callable.to_tokens(tokens),
            Self::Body(body) => {
                let (first, last) = self.ends();
                let body = match body {
                    // Not in further braces: those would be too many for the compiler.
                    Expr::Block(block) if block.label.is_none() && block.attrs.is_empty() => block
                        .block
                        .stmts
                        .iter()
                        .map(ToTokens::to_token_stream)
                        .collect(),
                    other => other.to_token_stream(),
                };
                let mut block = Group::new(Delimiter::Brace, body);
                block.set_span(last);
                tokens.extend(quote_spanned!(first=> move || #block));
            }
        }
    }
}

/// Between the options and the work.
fn parse_separator(input: ParseStream<'_>) -> syn::Result<()> {
    let semicolon = input.peek(Token![;]);
    input.parse::<Option<Token![;]>>()?;
    if !semicolon || input.is_empty() {
        return Err(error_here(
            input,
            "what to run comes after the options and a `;`, as in `go!(name = \"conn\"; f(x))`",
        ));
    }
    Ok(())
}

fn capture_by_move(mut closure: ExprClosure) -> syn::Result<Expr> {
    if let Some(token) = closure.asyncness {
        return Err(no_async(token));
    }
    if !closure.inputs.is_empty() {
        return Err(Error::new_spanned(
            &closure.inputs,
            "`go!` calls the closure without arguments: let it capture what it needs instead of having parameters",
        ));
    }
    // With the user's own span: then the closure is shown from here to its end.
    let span = closure.or1_token.span;
    closure.capture.get_or_insert(Token![move](span));
    Ok(Expr::Closure(closure))
}

fn several(input: ParseStream<'_>) -> Error {
    error_here(
        input,
        "`go!` takes one expression: put several statements in a block, `go!({ ... })`",
    )
}

fn no_async(token: Token![async]) -> Error {
    Error::new(
        token.span,
        "a greenlet blocks instead of being polled, so this would never run: leave out `async`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::same;

    fn expanded(source: &str) -> String {
        expand(source.parse().unwrap()).to_string()
    }

    #[track_caller]
    fn spawns(source: &str, callable: &str) {
        same(expanded(source), format!("::sward::spawn({callable})"));
    }

    #[track_caller]
    fn fails(source: &str, message: &str) {
        let expanded = expanded(source);
        assert!(expanded.contains("compile_error"), "{expanded}");
        assert!(expanded.contains(message), "{expanded}");
    }

    #[test]
    fn expressions_become_closures() {
        spawns("f(x, y)", "move || { f(x, y) }");
        spawns("f(x),", "move || { f(x) }");
        spawns("a == b", "move || { a == b }");
        spawns("*a = b", "move || { *a = b }");
        spawns("println!(\"{x}\")", "move || { println!(\"{x}\") }");
        spawns("(f(x))", "move || { f(x) }");
        spawns("{ a; b }", "move || { a; b }");
        spawns("'a: { b }", "move || { 'a: { b } }");
        spawns("unsafe { a }", "move || { unsafe { a } }");
        spawns("{ a }.b()", "move || { { a }.b() }");
        spawns("x.f", "move || { x.f }");
    }

    #[test]
    fn callables_are_passed_on() {
        spawns("worker", "worker");
        spawns("self::worker::<u8>", "self::worker::<u8>");
        spawns("(worker)", "worker");
        spawns("move || x", "move || x");
        spawns("|| x", "move || x");
        spawns("|| -> u8 { x }", "move || -> u8 { x }");
        spawns("(|| x)", "move || x");
    }

    #[test]
    fn options_in_the_order_written() {
        same(
            expanded("stack_size = 64 * 1024, name = \"conn\",; f(x)"),
            quote! {
                ::sward::__private::spawned(::sward::Builder::spawn(
                    ::sward::Builder::new().stack_size(64 * 1024).name("conn"),
                    move || { f(x) }
                ))
            },
        );
    }

    #[test]
    fn wrong_options_leave_the_rest_as_it_is() {
        let expanded = expanded("nmae = 1, nmea = 2, name = 3; f(x)");
        assert!(expanded.contains("unknown option `nmae`"), "{expanded}");
        assert!(expanded.contains("unknown option `nmea`"), "{expanded}");
        assert!(expanded.contains(". name (3)"), "{expanded}");
        assert!(expanded.contains("move || { f (x) }"), "{expanded}");
        fails("name = 1, name = 2; f(x)", "`name` is given twice");
    }

    #[test]
    fn all_errors_at_once() {
        fails("nmae = 1; let x = 1; f(x)", "unknown option `nmae`");
        fails("nmae = 1; let x = 1; f(x)", "takes one expression");
        fails("nmae = 1, name = ; f(x)", "unknown option `nmae`");
        fails("nmae = 1", "unknown option `nmae`");
        fails("nmae = 1", "comes after the options");
    }

    #[test]
    fn what_cannot_run() {
        fails("", "needs something to run");
        fails("let a = 1; f(a)", "takes one expression");
        fails("f(1); f(2)", "takes one expression");
        fails("f(1), f(2)", "takes one expression");
        fails("f(1);", "takes one expression");
        fails("name = 1", "comes after the options");
        fails("name = 1;", "comes after the options");
        fails("name = 1 f(x)", "comes after the options");
        fails("|x| f(x)", "without arguments");
        fails("move |x: u8, _| f(x)", "without arguments");
        fails("async { 1 }", "leave out `async`");
        fails("async move || 1", "leave out `async`");
    }
}
