//! What `hello_http` understands of a request: where its head ends, what it asks for, how long its
//! body is, whether the connection stays open after it.
//!
//! Nothing is stored and nothing allocated. What cannot be understood is a status to refuse it with.

use std::mem::MaybeUninit;

/// The largest head in bytes, from the request line to the empty line.
pub const HEAD_MAX: usize = 16 * 1024;
/// The largest number of bytes that `/bytes/N` gives.
pub const BYTES_MAX: u64 = 1 << 30;
/// More header fields than browsers and proxies send; arbitrary.
const FIELDS_MAX: usize = 96;

/// The status for what is no HTTP request, or stops in its middle.
pub const BAD_REQUEST: &str = "400 Bad Request";
/// The status for a body in chunks: bodies must have a `Content-Length`.
pub const NO_LENGTH: &str = "411 Length Required";
/// The status for a head of more than [`HEAD_MAX`] bytes or 96 fields.
pub const HEAD_TOO_LARGE: &str = "431 Request Header Fields Too Large";

/// What the answer depends on. It borrows nothing, so that a body can be read over its head.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// The length of the head in bytes.
    pub head: usize,
    /// The length of the body in bytes.
    pub body: u64,
    /// What is asked for.
    pub route: Route,
    /// False for `HEAD`, which is answered with a head alone.
    pub wants_body: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The client can send another request on this connection.
    pub keep_alive: bool,
}

/// What a request asks for.
#[derive(Debug, PartialEq)]
pub enum Route {
    /// `GET /`.
    Hello,
    /// `GET /stats`.
    Stats,
    /// `GET /bytes/N`.
    Bytes(u64),
    /// `POST` or `PUT` of anything: the body is counted.
    Count,
    /// `GET` of something else.
    NotFound,
    /// Another method.
    NotAllowed,
}

impl Request {
    /// The request whose head `input` begins with; `None` when more of the head must be read first.
    ///
    /// A missing `Host` is accepted.
    ///
    /// # Errors
    ///
    /// The status to refuse the request with. Where it ends is not known then.
    pub fn parse(input: &[u8]) -> Result<Option<Request>, &'static str> {
        let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        let head = match parsed.parse_with_uninit_headers(input, &mut fields) {
            Ok(httparse::Status::Complete(head)) if head <= HEAD_MAX => head,
            Ok(httparse::Status::Partial) if input.len() < HEAD_MAX => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(HEAD_TOO_LARGE),
            Err(_) => return Err(BAD_REQUEST),
        };
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            unreachable!("a complete head has both");
        };
        let is_1_0 = parsed.version == Some(0);
        let framing = Framing::of(parsed.headers)?;
        Ok(Some(Request {
            head,
            body: framing.length.unwrap_or(0),
            route: Route::of(method, target),
            wants_body: method != "HEAD",
            expects_continue: framing.expects_continue && !is_1_0,
            keep_alive: !framing.close && (framing.keep_alive || !is_1_0),
        }))
    }
}

impl Route {
    fn of(method: &str, target: &str) -> Route {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        match (method, path) {
            ("POST" | "PUT", _) => Route::Count,
            ("GET" | "HEAD", "/") => Route::Hello,
            ("GET" | "HEAD", "/stats") => Route::Stats,
            ("GET" | "HEAD", _) => match path.strip_prefix("/bytes/").and_then(number) {
                Some(count @ 0..=BYTES_MAX) => Route::Bytes(count),
                _ => Route::NotFound,
            },
            _ => Route::NotAllowed,
        }
    }
}

/// What the fields say about where the body ends and what comes after it.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    expects_continue: bool,
    keep_alive: bool,
    close: bool,
}

impl Framing {
    fn of(fields: &[httparse::Header<'_>]) -> Result<Framing, &'static str> {
        let mut framing = Framing::default();
        let mut coded = false;
        for field in fields {
            let is = |name| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let length = str::from_utf8(field.value).ok().and_then(number);
                let length = length.ok_or(BAD_REQUEST)?;
                if framing
                    .length
                    .replace(length)
                    .is_some_and(|other| other != length)
                {
                    return Err(BAD_REQUEST);
                }
            } else if is("transfer-encoding") {
                coded = true;
            } else if is("expect") {
                framing.expects_continue = field.value.eq_ignore_ascii_case(b"100-continue");
            } else if is("connection") {
                for token in field.value.split(|byte| *byte == b',') {
                    let token = token.trim_ascii();
                    framing.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    framing.close |= token.eq_ignore_ascii_case(b"close");
                }
            }
        }
        match (coded, framing.length) {
            (false, _) => Ok(framing),
            (true, None) => Err(NO_LENGTH),
            // Two ends of one body: how a request is smuggled past a proxy.
            (true, Some(_)) => Err(BAD_REQUEST),
        }
    }
}

/// Digits and nothing else: a sign or a list could mean something different to a proxy before us.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Request {
        Request::parse(head.as_bytes())
            .expect("a good head")
            .expect("a complete head")
    }

    fn refusal(head: &str) -> &'static str {
        Request::parse(head.as_bytes()).expect_err("a bad head")
    }

    #[test]
    fn a_request_is_understood_only_when_its_head_is_complete() {
        let head = "GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(Request::parse(&head.as_bytes()[..end]), Ok(None));
        }
        let request = parse(&format!("{head}GET / HTTP/1.1\r\n"));
        assert_eq!(request.head, head.len());
        assert_eq!(request.route, Route::Stats);
        assert_eq!(request.body, 0);
        assert!(request.wants_body && request.keep_alive && !request.expects_continue);
    }

    #[test]
    fn routes() {
        for (line, route) in [
            ("GET /", Route::Hello),
            ("GET /?query=/stats", Route::Hello),
            ("HEAD /", Route::Hello),
            ("GET /bytes/0", Route::Bytes(0)),
            ("GET /bytes/1073741824", Route::Bytes(BYTES_MAX)),
            ("GET /bytes/1073741825", Route::NotFound),
            ("GET /bytes/", Route::NotFound),
            ("GET /bytes/+1", Route::NotFound),
            ("GET /nothing", Route::NotFound),
            ("POST /nothing", Route::Count),
            ("PUT /", Route::Count),
            ("DELETE /", Route::NotAllowed),
        ] {
            assert_eq!(
                parse(&format!("{line} HTTP/1.1\r\n\r\n")).route,
                route,
                "{line}"
            );
        }
        assert!(!parse("HEAD / HTTP/1.1\r\n\r\n").wants_body);
    }

    #[test]
    fn how_long_the_connection_lasts() {
        for (version, connection, keep_alive) in [
            ("1.1", "", true),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.1", "Connection: Close\r\n", false),
            ("1.1", "Connection: upgrade , close\r\n", false),
            (
                "1.1",
                "Connection: keep-alive\r\nConnection: close\r\n",
                false,
            ),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: close\r\n", false),
        ] {
            let head = format!("GET / HTTP/{version}\r\n{connection}\r\n");
            assert_eq!(parse(&head).keep_alive, keep_alive, "{head}");
        }
    }

    #[test]
    fn bodies() {
        let post = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(
            parse(&post("Content-Length: 104857600\r\n")).body,
            104_857_600
        );
        assert_eq!(
            parse(&post("Content-Length: 7\r\nContent-Length: 7\r\n")).body,
            7
        );
        assert!(parse(&post("Expect: 100-Continue\r\n")).expects_continue);
        assert!(!parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
        for bad in [
            "",
            "-1",
            "+1",
            "1, 1",
            "0x10",
            "1.5",
            "18446744073709551616",
        ] {
            assert_eq!(
                refusal(&post(&format!("Content-Length: {bad}\r\n"))),
                BAD_REQUEST,
                "{bad}"
            );
        }
        for bad in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(refusal(&post(bad)), BAD_REQUEST, "{bad}");
        }
        assert_eq!(refusal(&post("Transfer-Encoding: chunked\r\n")), NO_LENGTH);
    }

    #[test]
    fn garbage_and_giants() {
        for garbage in [
            "\0",
            "GET /\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET / HTTP/1.1\r\n:\r\n\r\n",
        ] {
            assert_eq!(refusal(garbage), BAD_REQUEST, "{garbage:?}");
        }
        let sized = |size: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(size - 23));
        assert_eq!(parse(&sized(HEAD_MAX)).head, HEAD_MAX);
        assert_eq!(refusal(&sized(HEAD_MAX + 1)), HEAD_TOO_LARGE);
        assert_eq!(refusal(&sized(HEAD_MAX + 1)[..HEAD_MAX]), HEAD_TOO_LARGE);
        let fields = "A: a\r\n".repeat(FIELDS_MAX + 1);
        assert_eq!(
            refusal(&format!("GET / HTTP/1.1\r\n{fields}\r\n")),
            HEAD_TOO_LARGE
        );
    }
}
