//! `info`: the servers and what they have.

use super::{Api, ApiError, Method, Output};
use crate::hub::Counts;
use crate::protocol::write::{self, Object};
use crate::protocol::{Fields, Malformed};

/// `info` takes nothing.
#[derive(Debug)]
pub(super) struct Request;

/// The servers that are known.
#[derive(Debug)]
pub(super) struct Info {
    uid: String,
    name: String,
    version: &'static str,
    uptime: u64,
    counts: Counts,
}

// === impl Request ===

impl Method for Request {
    type Output = Info;

    fn parse(_: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self)
    }

    async fn call(self, api: &Api) -> Result<Info, ApiError> {
        let node = &api.node;
        Ok(Info {
            uid: node.uid.clone(),
            name: node.name.clone(),
            version: node.version,
            uptime: node.started.elapsed().as_secs(),
            counts: api.hub.counts(),
        })
    }
}

// === impl Info ===

impl Output for Info {
    fn write(&self, body: &mut Object<'_>) {
        let mut nodes = vec![b'['];
        write::object(&mut nodes, |body| {
            body.string("uid", &self.uid);
            body.string("name", &self.name);
            body.string("version", self.version);
            body.number("num_clients", self.counts.clients);
            body.number("num_users", self.counts.users);
            body.number("num_channels", self.counts.channels);
            if self.uptime > 0 {
                body.number("uptime", self.uptime);
            }
            body.number("num_subs", self.counts.subscriptions);
        });
        nodes.push(b']');
        body.raw("nodes", &nodes);
    }
}
