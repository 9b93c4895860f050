//! `select!`: the arms, and the code that waits for one of them.
//!
//! What is waited for is evaluated first, after the limit, in the order written; each gives something that `sward` calls an arm, and
//! `sward` decides among them. The arms are gone before the chosen body runs, so it may use whatever they borrowed. Bodies stand
//! in arms of a `match`, where `break`, `return` and `?` mean what they say.
//!
//! Generated tokens carry the location of what the user wrote: a receiver of a wrong type is shown at the method that is
//! missing, a pattern that does not fit at the pattern.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprMethodCall, Ident, Pat, Token, parenthesized, token};

use crate::options::{Errors, bare};

/// What can be waited for, as methods.
const METHODS: [&str; 8] = [
    "recv",
    "send",
    "send_from",
    "changed",
    "join",
    "wait",
    "accept",
    "read",
];

/// What takes the place of `select! { input }`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    match syn::parse2::<Select>(input) {
        Ok(select) => select.expand(),
        Err(error) => error.into_compile_error(),
    }
}

struct Select {
    biased: bool,
    arms: Vec<Arm>,
    otherwise: Option<Otherwise>,
    /// What was wrong with some of the arms. The others are expanded all the same: nobody is helped by hearing as well that
    /// their variables are unused.
    errors: Errors,
}

/// `pattern = what.method(argument), if condition => body`
struct Arm {
    pattern: Pat,
    call: ExprMethodCall,
    condition: Option<Expr>,
    body: Expr,
}

/// What is done if none of the arms is ready, or not in time.
struct Otherwise {
    name: Ident,
    /// Of `timeout` and `deadline`.
    argument: Option<Expr>,
    body: Expr,
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut select = Self {
            biased: false,
            arms: Vec::new(),
            otherwise: None,
            errors: Errors::default(),
        };
        if input.peek(Ident) && input.peek2(Token![;]) {
            let word: Ident = input.parse()?;
            if word != "biased" {
                return Err(Error::new(word.span(), "expected `biased;` or an arm"));
            }
            input.parse::<Token![;]>()?;
            select.biased = true;
        }
        if input.is_empty() {
            let what = "`select!` needs an arm: `message = receiver.recv() => { ... }`";
            return Err(Error::new(Span::call_site(), what));
        }
        while !input.is_empty() {
            if is_otherwise(input) {
                let otherwise: Otherwise = input.parse()?;
                if select.otherwise.is_some() {
                    let what = "one of `default`, `timeout(...)` and `deadline(...)`, and once";
                    select.errors.push(Error::new(otherwise.name.span(), what));
                } else {
                    select.otherwise = Some(otherwise);
                }
                continue;
            }
            match Arm::parse(input)? {
                Ok(arm) => select.arms.push(arm),
                Err(error) => select.errors.push(error),
            }
        }
        Ok(select)
    }
}

/// Whether `default =>`, `timeout(...) =>` or `deadline(...) =>` comes.
fn is_otherwise(input: ParseStream<'_>) -> bool {
    if !input.peek(Ident) {
        return false;
    }
    let fork = input.fork();
    let Ok(name) = fork.parse::<Ident>() else {
        return false;
    };
    if name == "default" {
        return fork.peek(Token![=>]);
    }
    (name == "timeout" || name == "deadline") && fork.peek(token::Paren) && fork.peek2(Token![=>])
}

impl Parse for Otherwise {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        let mut argument = None;
        if name != "default" {
            let content;
            parenthesized!(content in input);
            if content.is_empty() {
                let what = match name == "timeout" {
                    true => "how long? `timeout(duration)`",
                    false => "until when? `deadline(instant)`",
                };
                return Err(Error::new(name.span(), what));
            }
            argument = Some(bare(content.parse()?));
            if !content.is_empty() {
                return Err(content.error("one argument"));
            }
        }
        let body = parse_body(input)?;
        Ok(Self {
            name,
            argument,
            body,
        })
    }
}

impl Arm {
    /// The outer error ends the parsing, the inner one does not.
    fn parse(input: ParseStream<'_>) -> syn::Result<Result<Self, Error>> {
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        if !input.peek(Token![=]) || input.peek(Token![=>]) {
            let what = "expected `pattern = receiver.recv() => ...`, `default => ...`, `timeout(...) => ...` or `deadline(...) => ...`";
            return Err(Error::new(pattern.span(), what));
        }
        input.parse::<Token![=]>()?;
        let call = bare(input.parse()?);
        let mut condition = None;
        if input.peek(Token![,]) && input.peek2(Token![if]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            condition = Some(input.parse()?);
        }
        let body = parse_body(input)?;
        let Expr::MethodCall(call) = call else {
            let what = format!("`select!` waits for calls of methods, one of {}", methods());
            return Ok(Err(Error::new(call.span(), what)));
        };
        if !METHODS.iter().any(|method| call.method == method) {
            let what = format!(
                "`select!` cannot wait for `{}`: expected one of {}",
                call.method,
                methods()
            );
            return Ok(Err(Error::new(call.method.span(), what)));
        }
        Ok(Ok(Self {
            pattern,
            call,
            condition,
            body,
        }))
    }
}

fn methods() -> String {
    METHODS.map(|method| format!("`{method}`")).join(", ")
}

/// `=> body`, with a comma after it unless it is a block or the last.
fn parse_body(input: ParseStream<'_>) -> syn::Result<Expr> {
    input.parse::<Token![=>]>()?;
    if input.is_empty() {
        return Err(input.error("expected what to do"));
    }
    // As in `match`: a block ends an arm.
    if input.peek(token::Brace) {
        let block: syn::Block = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        let (attrs, label) = (Vec::new(), None);
        return Ok(Expr::Block(syn::ExprBlock {
            attrs,
            label,
            block,
        }));
    }
    let body = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(body)
}

impl Select {
    fn expand(self) -> TokenStream {
        let Self {
            biased,
            arms,
            otherwise,
            errors,
        } = self;
        let hidden = Span::mixed_site();
        let place = |at: usize| format_ident!("arm_{at}", span = hidden);
        let variant = |at: usize| format_ident!("Arm{at}", span = hidden);
        let variants: Vec<_> = (0..arms.len()).map(variant).collect();

        let offered = arms.iter().enumerate().map(|(at, arm)| {
            let place = place(at);
            let offer =
                quote!(::core::option::Option::Some(::sward::__private::arm(#place.as_mut())));
            match &arm.condition {
                None => offer,
                Some(condition) => quote! {
                    if #condition { #offer } else { ::core::option::Option::None }
                },
            }
        });
        let taken = arms.iter().enumerate().map(|(at, _)| {
            let (place, variant) = (place(at), variant(at));
            quote! {
                ::core::option::Option::Some(#at) =>
                    Chosen::#variant(::sward::__private::take(#place.as_mut())),
            }
        });
        let bodies = arms.iter().enumerate().map(|(at, arm)| {
            let (variant, Arm { pattern, body, .. }) = (variant(at), arm);
            let value = Ident::new("value", hidden);
            quote! {
                Chosen::#variant(#value) => {
                    let #pattern = #value;
                    #body
                }
            }
        });

        let count = arms.len();
        let (limit, other_body) = match &otherwise {
            None => (
                quote!(::sward::__private::Limit::Never),
                quote!(::core::unreachable!()),
            ),
            Some(Otherwise {
                name,
                argument,
                body,
            }) => {
                let limit = match argument {
                    None => quote!(::sward::__private::Limit::Now),
                    Some(argument) => {
                        let at = argument.span();
                        let function = Ident::new(&name.to_string(), at);
                        quote_spanned!(at=> ::sward::__private::Limit::#function(#argument))
                    }
                };
                (limit, quote!(#body))
            }
        };
        let choose = quote! {
            let mut arms: [::core::option::Option<::sward::__private::AnyArm<'_>>; #count] = [#(#offered),*];
            match ::sward::__private::select(&mut arms, #biased, limit) {
                #(#taken)*
                _ => Chosen::Otherwise,
            }
        };
        // Each in a `match` around the next ones: what is temporary in it lives until the choice is made.
        let chosen = arms
            .iter()
            .enumerate()
            .rev()
            .fold(choose, |inner, (at, arm)| {
                let ExprMethodCall {
                    receiver,
                    method,
                    args,
                    turbofish,
                    ..
                } = &arm.call;
                let place = place(at);
                let pinned = |call: TokenStream| {
                    quote! {
                        match #call {
                            #place => {
                                let mut #place = ::core::pin::pin!(#place);
                                #inner
                            }
                        }
                    }
                };
                if method != "send" {
                    let select = Ident::new(&format!("__select_{method}"), method.span());
                    return pinned(
                        quote_spanned!(method.span()=> #receiver.#select #turbofish(#args)),
                    );
                }
                // The value lies beside its arm, which takes it when it is chosen.
                let value = format_ident!("value_{at}", span = hidden);
                let call =
                    quote_spanned!(method.span()=> #receiver.__select_send_from(&mut #value));
                let pinned = pinned(call);
                let some = quote_spanned!(method.span()=> ::core::option::Option::Some(#args));
                quote!(match #some { mut #value => #pinned })
            });
        let selected = quote! {{
            enum Chosen<#(#variants),*> {
                #(#variants(#variants),)*
                Otherwise,
            }
            #[allow(clippy::match_single_binding, clippy::let_and_return)]
            match {
                let limit = #limit;
                let chosen = { #chosen };
                chosen
            } {
                #(#bodies)*
                Chosen::Otherwise => #other_body,
            }
        }};
        match errors.to_compile_error() {
            Some(errors) => quote!({ #errors #selected }),
            None => selected,
        }
    }
}
