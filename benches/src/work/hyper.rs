//! The answers of `super::http` from hyper on tokio: what a whole HTTP library costs more than a bare loop.
//!
//! It prints its port and serves until its standard input closes; the requests come from `wrk`.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::Job;
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, tokio::Tokio};
use crate::serving;

pub(crate) fn run(job: Job) -> Outcome {
    Tokio::run(job.workers, serve())
}

async fn serve() -> Outcome {
    let (listener, port) = Tokio::listen().await.expect("the loopback has a free port");
    serving::announce(port);
    loop {
        let stream = Tokio::accept(&listener)
            .await
            .expect("there are descriptors left");
        Tokio::detach(Tokio::spawn(async move {
            // An error is the client's end. No date: the bare loops send none.
            let _ = http1::Builder::new()
                .pipeline_flush(true)
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        }));
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut answer = Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
    let plain = HeaderValue::from_static("text/plain");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    Ok(answer)
}
