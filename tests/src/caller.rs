//! An HTTP client of an edge, for what the official clients do not show: statuses, headers, bytes.

use bytes::Bytes;
use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

/// Somebody with a key, and an edge.
#[derive(Debug, Clone)]
pub struct Caller {
    http: Client,
    base: String,
    key: Option<String>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Caller {
    /// A caller of the edge at this base URL, `http://host:port`.
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let http = Client::builder().no_proxy().build().expect("an HTTP client");
        Self {
            http,
            base: base.to_owned(),
            key: key.map(str::to_owned),
        }
    }

    /// The same with another HTTP client, for TLS.
    pub fn through(self, http: Client) -> Self {
        Self { http, ..self }
    }

    /// A request with the key as a bearer token, to be finished by the test.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    /// A chat completion.
    pub async fn chat(&self, model: &str) -> Answer {
        Answer::of(self.post("/v1/chat/completions", &chat(model))).await
    }

    /// A streamed chat completion, read to its end.
    pub async fn stream(&self, model: &str) -> Answer {
        Answer::of(self.post("/v1/chat/completions", &streamed(model))).await
    }

    /// Anthropic's Messages, streamed or not.
    pub async fn messages(&self, model: &str, stream: bool) -> Answer {
        let mut body = chat(model);
        body["max_tokens"] = json!(64);
        body["stream"] = json!(stream);
        Answer::of(self.post("/v1/messages", &body)).await
    }
}

impl Answer {
    /// Sends the request and reads the whole response. A body that breaks off yields what had come.
    pub async fn of(request: RequestBuilder) -> Self {
        let mut response = request.send().await.expect("a response");
        let mut body = Vec::new();
        while let Ok(Some(piece)) = response.chunk().await {
            body.extend_from_slice(&piece);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    /// The same where the edge may be killed: a response counts only if all of it came.
    ///
    /// # Errors
    /// There was none, or it broke off.
    pub async fn whole(request: RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// `x-request-id`, by which the audit knows it.
    pub fn request_id(&self) -> &str {
        self.header("x-request-id")
    }

    /// The data of a stream's events, without the last `[DONE]`.
    pub fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    /// What the provider saw, where the model was `echo-request`.
    pub fn echo(&self) -> Value {
        let text = self.json()["choices"][0]["message"]["content"].clone();
        serde_json::from_str(text.as_str().expect("a text")).expect("what the provider saw")
    }
}

/// The body of a chat completion.
pub fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "good morning"}]})
}

/// The body of a streamed chat completion.
pub fn streamed(model: &str) -> Value {
    json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "good morning"}]})
}
