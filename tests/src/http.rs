//! HTTP, with status, headers and body whole.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::wait::patience;

/// The largest answer that is read.
const LARGE: u64 = 1 << 30;

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Http {
    agent: Agent,
    base: String,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Every header but the date and what belongs to the connection; names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

// === impl Http ===

impl Http {
    /// A client of the server at `base`, such as `http://127.0.0.1:8000`.
    pub fn new(base: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(patience()))
            .max_redirects(0);
        Self { agent: config.build().into(), base }
    }

    /// A `GET`.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// A `POST` of a body as it is.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send("POST", path, headers, body)
    }

    /// A call of the server API whose answer may be larger than others.
    pub fn post_large(&self, path: &str, key: &str, body: &str) -> Answer {
        let request = Request::post(format!("{}{path}", self.base)).header("X-API-Key", key);
        let request = request.body(body).expect("the request is well-formed");
        let mut response = self.agent.run(request).expect("an answer comes");
        let body = response.body_mut().with_config().limit(LARGE).read_to_string();
        Answer {
            status: response.status().as_u16(),
            headers: BTreeMap::new(),
            body: body.expect("the whole answer comes"),
        }
    }

    /// Any request; one without an answer is a failure of the test.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.try_send(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// As [`Self::send`], for servers that may be away.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = if body.is_empty() && method != "POST" {
            self.agent.run(request.body(()).expect("the request is well-formed"))?
        } else {
            self.agent.run(request.body(body).expect("the request is well-formed"))?
        };
        Answer::of(response)
    }
}

// === impl Answer ===

impl Answer {
    fn of(mut response: Response<ureq::Body>) -> Result<Self, ureq::Error> {
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let mut answer = Self {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: String::new(),
        };
        answer.body = response.body_mut().read_to_string()?;
        answer.settle();
        Ok(answer)
    }

    /// Reads what `curl --include` prints.
    pub fn of_curl(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("headers end with an empty line");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let mut answer = Self {
            status: status.parse().expect("a status is a number"),
            headers: headers.collect(),
            body: body.to_owned(),
        };
        answer.settle();
        answer
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON ({error}): {self}"))
    }

    /// Checks the length and drops what says nothing about the answer itself.
    fn settle(&mut self) {
        if let Some(length) = self.headers.remove("content-length") {
            assert_eq!(length, self.body.len().to_string(), "content-length of {self}");
        }
        for name in ["date", "connection", "transfer-encoding"] {
            self.headers.remove(name);
        }
    }
}

impl fmt::Display for Answer {
    /// The status, each header, and the body, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            write!(f, "\n{name}: {value}")?;
        }
        write!(f, "\n\n{}", self.body)
    }
}
