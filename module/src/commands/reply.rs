//! How members are replied, by every command that returns some.

use rollcall_wire::{Info, Member};

use crate::native::context::Ctx;
use crate::roster::Parts;

/// `[client, user, conn_info|nil, chan_info|nil]`.
pub(super) fn member(ctx: &Ctx, parts: &Parts<'_>) {
    ctx.reply_array(4);
    ctx.reply_bytes(parts.client.bytes(&mut [0; 36]));
    ctx.reply_bytes(parts.user.as_bytes());
    for info in [parts.conn_info, parts.chan_info] {
        match info {
            Info::None => ctx.reply_null(),
            info => ctx.reply_bytes(info.bytes()),
        }
    }
}

/// About what a member's JSON takes beside the member's own bytes.
const FRAME: usize = 112;

/// The `presence` object of the client protocol, member by member.
#[derive(Debug)]
pub(super) struct JsonObject(Vec<u8>);

// === impl JsonObject ===

impl JsonObject {
    /// With room for so many members, whose own bytes are so many.
    pub(super) fn new(members: usize, bytes: usize) -> Self {
        let mut text = Vec::with_capacity(2 + members * FRAME + bytes);
        text.push(b'{');
        Self(text)
    }

    pub(super) fn push(&mut self, parts: &Parts<'_>) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        let mut room = [0; 36];
        let client = parts.client.text(&mut room);
        rollcall_wire::push_string(&mut self.0, client);
        self.0.push(b':');
        let Parts { user, conn_info, chan_info, .. } = *parts;
        Member { client, user, conn_info, chan_info }.push_json(&mut self.0);
    }

    pub(super) fn reply(mut self, ctx: &Ctx) {
        self.0.push(b'}');
        ctx.reply_bytes(&self.0);
    }
}
