//! The arguments of `#[sward::main]` and `#[sward::test]`, and the `::sward::__private::Config` that they make.
//!
//! A value is checked here as far as its literal shows it to be wrong. Its type is checked by the compiler, and what
//! only the machine can tell (a stack too large, workers that cannot be started) when the runtime is built.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, Lit};

use crate::options::{Errors, Setting, Settings, error_here, written_at};

const OPTIONS: &[&str] = &["workers", "homes", "stack_size"];

/// The arguments that are right.
#[derive(Default)]
pub(crate) struct Config {
    settings: Vec<Setting>,
}

impl Config {
    /// What is right in `arguments`, and what is wrong.
    pub(crate) fn parse(arguments: TokenStream) -> (Self, Errors) {
        let (mut settings, mut errors) = match parse_all.parse2(arguments) {
            Ok(settings) => settings.into_parts(),
            Err(error) => (Vec::new(), error.into()),
        };
        settings.retain(|setting| match check(setting) {
            Ok(()) => true,
            Err(error) => {
                errors.push(error);
                false
            }
        });
        (Self { settings }, errors)
    }
}

fn parse_all(input: ParseStream<'_>) -> syn::Result<Settings> {
    let settings = Settings::parse(input, OPTIONS)?;
    if input.is_empty() {
        Ok(settings)
    } else {
        let (_, errors) = settings.into_parts();
        Err(errors.and(error_here(input, "expected `,`")))
    }
}

fn check(Setting { name, value }: &Setting) -> syn::Result<()> {
    let literal = match value {
        Expr::Lit(expr) => Some(&expr.lit),
        _ => None,
    };
    let refuse = |message| Err(Error::new_spanned(value, message));
    if name == "homes" {
        return match literal {
            Some(Lit::Str(homes)) if matches!(&*homes.value(), "fixed" | "moving") => Ok(()),
            _ => refuse("`homes` is the literal \"fixed\" or the literal \"moving\""),
        };
    }
    match literal {
        Some(Lit::Int(number)) if name == "workers" && number.base10_digits() == "0" => {
            refuse("`workers` must be at least 1")
        }
        _ => Ok(()),
    }
}

impl ToTokens for Config {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let fields = OPTIONS.iter().map(|option| {
            let setting = self.settings.iter().find(|setting| setting.name == option);
            setting.map_or_else(|| absent(option), present)
        });
        tokens.extend(quote!(::sward::__private::Config { #(#fields),* }));
    }
}

fn absent(option: &str) -> TokenStream {
    let span = Span::mixed_site();
    let name = Ident::new(option, span);
    quote_spanned!(span=> #name: ::core::option::Option::None)
}

fn present(Setting { name, value }: &Setting) -> TokenStream {
    let span = written_at(name.span());
    if name == "homes" {
        return quote_spanned!(span=> #name: ::core::option::Option::Some(#value));
    }
    // As the value of a `let`, a wrong type is explained by the option's name and not by `Some`.
    quote_spanned! {span=>
        #name: ::core::option::Option::Some({
            let value: ::core::primitive::usize = #value;
            value
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str) -> (String, String) {
        let (config, errors) = Config::parse(source.parse().unwrap());
        let errors = errors.to_compile_error().unwrap_or_default();
        (config.to_token_stream().to_string(), errors.to_string())
    }

    #[test]
    fn fields_of_the_config() {
        let none = quote!(::sward::__private::Config {
            workers: ::core::option::Option::None,
            homes: ::core::option::Option::None,
            stack_size: ::core::option::Option::None
        });
        assert_eq!(parse(""), (none.to_string(), String::new()));

        let all = quote!(::sward::__private::Config {
            workers: ::core::option::Option::Some({
                let value: ::core::primitive::usize = n();
                value
            }),
            homes: ::core::option::Option::Some("moving"),
            stack_size: ::core::option::Option::Some({
                let value: ::core::primitive::usize = 64 * 1024;
                value
            })
        });
        let source = "stack_size = 64 * 1024, homes = \"moving\", workers = n(),";
        assert_eq!(parse(source), (all.to_string(), String::new()));
    }

    #[test]
    fn literals_are_checked() {
        for zero in ["0", "0usize", "0x0", "00", "(0)"] {
            let (config, errors) = parse(&format!("workers = {zero}, homes = \"fixed\""));
            assert!(errors.contains("at least 1"), "{zero}: {errors}");
            assert!(config.contains("Some (\"fixed\")"), "{config}");
        }
        for homes in ["\"Fixed\"", "fixed", "1", "\"\"", "b\"fixed\""] {
            let (_, errors) = parse(&format!("homes = {homes}"));
            assert!(errors.contains("`homes` is"), "{homes}: {errors}");
        }
        for right in ["workers = 10", "workers = -0", "homes = (\"fixed\")"] {
            assert_eq!(parse(right).1, "", "{right}");
        }
    }

    #[test]
    fn other_mistakes() {
        let errors = |source| parse(source).1;
        assert!(errors("threads = 1").contains("expected `workers`, `homes` or `stack_size`"));
        assert!(errors("workers = 1, workers = 2").contains("given twice"));
        assert!(errors("workers = 1 homes = \"fixed\"").contains("expected `,`"));
        assert!(errors("workers = 1; homes = \"fixed\"").contains("expected `,`"));
        assert!(errors("\"fixed\"").contains("expected `workers`"));
        assert!(errors("workers").contains("`workers` needs a value"));
    }
}
