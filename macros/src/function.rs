//! The function that `#[sward::main]` or `#[sward::test]` stands on: what it must look like.
//!
//! Its body is left as it is: nothing here needs to understand it, and an editor gets a body back that is half written.
//! `entry.rs` makes something of the function.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, ReturnType, Signature, Type, Visibility};

use crate::options::Errors;

/// Which of the two attributes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Main => "`#[sward::main]`",
            Self::Test => "`#[sward::test]`",
        }
    }
}

pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: parse_body(input)?,
        })
    }
}

/// A group in braces, perhaps inside the invisible ones that `macro_rules` puts around its fragments.
fn parse_body(input: ParseStream<'_>) -> syn::Result<Group> {
    let token = input.parse()?;
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Ok(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            parse_body.parse2(group.stream())
        }
        other => Err(Error::new(other.span(), "expected a block")),
    }
}

impl Function {
    /// Can a runtime call it?
    pub(crate) fn check(&self, kind: Kind) -> Errors {
        let signature = &self.signature;
        let mut errors = Errors::default();
        let mut refuse = |tokens: &dyn ToTokens, problem: &str| {
            let message = format!("a {} function {problem}", kind.attribute());
            errors.push(Error::new_spanned(tokens, message));
        };
        if let Some(token) = &signature.constness {
            refuse(token, "cannot be `const`");
        }
        if let Some(token) = &signature.asyncness {
            refuse(token, "is not `async`: it runs in a greenlet, which blocks");
        }
        if let Some(token) = &signature.unsafety {
            refuse(token, "cannot be `unsafe`");
        }
        if let Some(abi) = &signature.abi {
            refuse(abi, "cannot be `extern`");
        }
        if kind == Kind::Main && signature.ident != "main" {
            refuse(&signature.ident, "must be called `main`");
        }
        if !signature.generics.params.is_empty() {
            refuse(&signature.generics, "cannot be generic");
        }
        if let Some(clause) = &signature.generics.where_clause {
            refuse(clause, "cannot have a `where` clause");
        }
        if !signature.inputs.is_empty() {
            refuse(&signature.inputs, "cannot have parameters");
        }
        if let Some(other) = self.attributes.iter().find(|other| is_entry(other)) {
            refuse(other, "cannot have another `main` or `test` attribute");
        }
        let mut attributes = self.attributes.iter();
        if attributes.any(|other| other.path().is_ident("should_panic")) && !self.returns_unit() {
            refuse(&signature.output, "with `#[should_panic]` must return `()`");
        }
        errors
    }

    pub(crate) fn returns_unit(&self) -> bool {
        match &self.signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(unit) if unit.elems.is_empty()),
        }
    }

    /// A function of the same name that compiles, for after an error. What the user wrote stays inside, checked like
    /// any function.
    pub(crate) fn into_stub(mut self) -> TokenStream {
        // The error says that it must go; hearing what a `const fn` may not do helps nobody.
        self.signature.constness = None;
        let Self {
            visibility,
            signature,
            body,
            ..
        } = self;
        let name = &signature.ident;
        quote!(#[allow(unused)] #visibility fn #name() { #signature #body })
    }
}

/// Is it `#[test]`, or an attribute that does the same as ours: our own again, or that of an async runtime?
fn is_entry(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "test" || segment.ident == "main")
}
