//! A provider that costs as little as possible: a small completion, or a stream of 20 chunks flushed one by one.
//!
//! `bench_upstream ADDRESS`. A request whose body holds `"stream":true` gets the stream.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use turnpike_runtime::{shutdown::Shutdown, task::Tasks};

type Body =
    Either<Full<Bytes>, StreamBody<futures::stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>>;

const CHUNKS: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address: SocketAddr = std::env::args()
        .nth(1)
        .ok_or("usage: bench_upstream ADDRESS")?
        .parse()?;
    let tasks = Tasks::new(Shutdown::on_signals()?);
    let listener = TcpListener::bind(address).await?;
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            () = tasks.shutdown().cancelled() => return Ok(()),
        };
        stream.set_nodelay(true)?;
        tasks.spawn("connection", async move {
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await,
            );
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let streams = memchr::memmem::find(&body, br#""stream":true"#).is_some();
    let (kind, body) = if streams {
        (
            "text/event-stream",
            Either::Right(StreamBody::new(events().boxed())),
        )
    } else {
        ("application/json", Either::Left(Full::new(completion())))
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static(kind));
    Ok(response)
}

fn completion() -> Bytes {
    const TEXT: &str = concat!(
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"#,
        r#""message":{"role":"assistant","content":""#
    );
    const END: &str = r#""},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":100,"total_tokens":112}}"#;
    format!("{TEXT}{}{END}", "lorem ipsum ".repeat(60)).into()
}

/// Each chunk is a poll of its own, so that each is written on its own.
fn events() -> impl futures::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    const CHUNK: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lorem ipsum dolor\"},\"finish_reason\":null}]}\n\n";
    const USAGE: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":100,\"total_tokens\":112}}\n\ndata: [DONE]\n\n";
    stream::iter(0..=CHUNKS).then(|number| async move {
        tokio::task::yield_now().await;
        let text = if number < CHUNKS { CHUNK } else { USAGE };
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    })
}
