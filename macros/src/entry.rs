//! `#[sward::main]` and `#[sward::test]`: a function whose body runs in a greenlet.
//!
//! The function that the user wrote is kept whole, under its own name, inside the one that takes its place:
//!
//! ```text
//! fn main() -> ::std::process::ExitCode {
//!     fn main() -> TypeOfTheUser { body of the user }
//!     ::sward::__private::main(::sward::__private::Config { ... }, main)
//! }
//! ```
//!
//! The inner name must be the function's own: items have no hygiene, so any other would hide an item of the user's that
//! has it, and this way a body that calls itself finds what it looks like. The inner function is an item, not a
//! closure, for the sake of `-> impl Termination` and of type errors that speak of the user's function.
//! All attributes stay on the outer function: `cfg` and lint levels there hold for both.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ReturnType};

use crate::config::Config;
use crate::function::{Function, Kind};
use crate::options::written_at;

/// What takes the place of `item`. Errors are part of it, as `compile_error!`, beside a function of the same name:
/// nobody is helped by hearing as well that there is no `main`.
pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let message = format!("{} goes on a function with a body", kind.attribute());
            let error = Error::new(error.span(), message).into_compile_error();
            return quote!(#error #item);
        }
    };
    if let Some(errors) = function.check(kind).to_compile_error() {
        let stub = function.into_stub();
        return quote!(#errors #stub);
    }
    let (config, errors) = Config::parse(arguments);
    let errors = errors.to_compile_error();
    let wrapped = wrap(kind, &function, &config);
    quote!(#errors #wrapped)
}

fn wrap(kind: Kind, function: &Function, config: &Config) -> TokenStream {
    let Function {
        attributes,
        visibility,
        signature,
        body,
    } = function;
    let fn_token = signature.fn_token;
    let name = &signature.ident;
    let output = &signature.output;

    let exit_code = quote!(-> ::std::process::ExitCode);
    let (test, returns, run) = match kind {
        Kind::Main => (None, Some(exit_code), "main"),
        // libtest allows `#[should_panic]` only without a return type.
        Kind::Test if function.returns_unit() => (Some(test_attribute()), None, "test_unit"),
        Kind::Test => (Some(test_attribute()), Some(exit_code), "test"),
    };
    // A type that is no `Termination` is shown as written.
    let returned = match output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let run = Ident::new(run, written_at(returned));
    let mut user_function = name.clone();
    user_function.set_span(name.span().located_at(returned));
    let call = quote_spanned! {written_at(returned)=>
        ::sward::__private::#run(#config, #user_function)
    };
    quote! {
        #test
        #(#attributes)*
        #visibility #fn_token #name() #returns {
            #fn_token #name() #output #body
            #call
        }
    }
}

fn test_attribute() -> TokenStream {
    quote_spanned!(Span::mixed_site()=> #[::core::prelude::v1::test])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::same;
    use quote::ToTokens;

    fn expanded(kind: Kind, item: &str) -> String {
        expand(kind, TokenStream::new(), item.parse().unwrap()).to_string()
    }

    fn config() -> TokenStream {
        Config::default().to_token_stream()
    }

    #[test]
    fn main_keeps_what_it_had() {
        let config = config();
        same(
            expanded(
                Kind::Main,
                "#[allow(unused)] pub(crate) fn main() -> Result<(), Error> { f(); Ok(()) }",
            ),
            quote! {
                #[allow(unused)]
                pub(crate) fn main() -> ::std::process::ExitCode {
                    fn main() -> Result<(), Error> { f(); Ok(()) }
                    ::sward::__private::main(#config, main)
                }
            },
        );
    }

    #[test]
    fn tests_that_return_nothing_still_do() {
        let config = config();
        for output in ["", "-> ()"] {
            let item = format!("#[should_panic] fn falls() {output} {{ panic!() }}");
            let output: TokenStream = output.parse().unwrap();
            same(
                expanded(Kind::Test, &item),
                quote! {
                    #[::core::prelude::v1::test]
                    #[should_panic]
                    fn falls() {
                        fn falls() #output { panic!() }
                        ::sward::__private::test_unit(#config, falls)
                    }
                },
            );
        }
    }

    #[test]
    fn tests_that_return_something_report_it() {
        let config = config();
        same(
            expanded(Kind::Test, "fn r#try() -> impl Termination { 5 }"),
            quote! {
                #[::core::prelude::v1::test]
                fn r#try() -> ::std::process::ExitCode {
                    fn r#try() -> impl Termination { 5 }
                    ::sward::__private::test(#config, r#try)
                }
            },
        );
    }

    #[test]
    fn a_body_need_not_parse() {
        let expanded = expanded(Kind::Main, "fn main() { let x = ; x. }");
        assert!(expanded.contains("let x = ; x ."), "{expanded}");
        assert!(!expanded.contains("compile_error"), "{expanded}");
    }

    #[test]
    fn functions_that_no_runtime_can_call() {
        let refused = [
            ("const fn main() {}", "`const`"),
            ("async fn main() {}", "`async`"),
            ("unsafe fn main() {}", "`unsafe`"),
            ("extern \"C\" fn main() {}", "`extern`"),
            ("fn start() {}", "called `main`"),
            ("fn main<T>() {}", "generic"),
            ("fn main() where u8: Copy {}", "`where`"),
            ("fn main(x: u8) {}", "parameters"),
            ("#[test] fn main() {}", "another `main` or `test`"),
            ("#[sward::main] fn main() {}", "another `main` or `test`"),
            ("struct Main;", "goes on a function"),
            ("fn main();", "goes on a function"),
            ("fn main() [f()]", "goes on a function"),
        ];
        for (item, message) in refused {
            let expanded = expanded(Kind::Main, item);
            assert!(expanded.contains("compile_error"), "{expanded}");
            assert!(expanded.contains(message), "{message}: {expanded}");
        }
    }

    #[test]
    fn should_panic_goes_without_a_result() {
        let expanded = expanded(
            Kind::Test,
            "#[should_panic] fn f() -> Result<(), E> { g() }",
        );
        assert!(expanded.contains("`#[should_panic]`"), "{expanded}");
    }

    #[test]
    fn all_problems_of_a_function_at_once() {
        let item = "#[tokio::test] pub const async unsafe fn f<T>(x: T) where T: Copy { g() }";
        let expanded = expanded(Kind::Test, item);
        assert_eq!(expanded.matches("compile_error").count(), 7, "{expanded}");
        let stub = expanded.rsplit_once("# [").unwrap().1;
        same(
            stub.replace("Copy ,", "Copy"),
            "allow (unused)] pub fn f () { async unsafe fn f < T > (x : T) where T : Copy { g () } }",
        );
    }
}
