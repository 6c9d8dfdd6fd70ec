//! `info`: the servers and what they have.

use rollcall_wire::control::Node;

use super::{Api, Failure, Method, Output, Subject};
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed};

/// `info` takes nothing.
#[derive(Debug)]
pub(super) struct Request;

/// The servers that are known.
#[derive(Debug)]
pub(super) struct Info(Vec<Node>);

// === impl Request ===

impl Method for Request {
    type Output = Info;

    fn parse(_: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self)
    }

    fn subject(&self) -> Subject<'_> {
        Subject::Nothing
    }

    async fn call(&self, api: &Api) -> Result<Info, Failure> {
        Ok(Info(api.hub.nodes().await))
    }
}

// === impl Info ===

impl Output for Info {
    fn write(&self, body: &mut Object<'_>) {
        body.list("nodes", &self.0, |body, node| {
            body.string("uid", &node.uid);
            body.string("name", &node.name);
            body.string("version", &node.version);
            body.number("num_clients", node.num_clients);
            body.number("num_users", node.num_users);
            body.number("num_channels", node.num_channels);
            if node.uptime > 0 {
                body.number("uptime", node.uptime);
            }
            body.number("num_subs", node.num_subs);
        });
    }
}
