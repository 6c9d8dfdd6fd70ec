//! Registration of commands from their specs, and the callback behind each.

use std::ffi::{CStr, c_int};

use redis_module::raw;

use super::context::Ctx;
use super::guarded;
use super::string::Str;
use crate::args::Args;
use crate::error::CommandError;
use crate::spec::{Access, Arg, ArgKind, Command, Entry, Keys, Spec};

/// What the server calls.
pub(crate) type Handler = unsafe extern "C" fn(
    *mut raw::RedisModuleCtx,
    *mut *mut raw::RedisModuleString,
    c_int,
) -> c_int;

const OK: c_int = 0;
const SINCE: &CStr = c"1.0.0";

static VERSION: SharedVersion = SharedVersion(raw::RedisModuleCommandInfoVersion {
    version: 1,
    sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
});

struct SharedVersion(raw::RedisModuleCommandInfoVersion);

/// The callback of one command.
pub(crate) unsafe extern "C" fn handler<C: Command>(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    count: c_int,
) -> c_int {
    let ctx = Ctx::new(ctx);
    // A subcommand's own name is an argument too.
    let skip = if C::SPEC.parent.is_some() { 2 } else { 1 };
    let outcome = guarded(Err(CommandError::bad("internal error")), || {
        // SAFETY: the server passes `count` live strings, and `Str` is laid out as a pointer to one.
        let all = unsafe {
            std::slice::from_raw_parts(argv.cast::<Str>(), usize::try_from(count).unwrap_or(0))
        };
        C::execute(Args::new(all.get(skip..).unwrap_or(&[])), &ctx)
    });
    match outcome {
        Ok(()) => {}
        Err(CommandError::WrongArity) => ctx.wrong_arity(),
        Err(error) => ctx.reply_error(&error.to_string()),
    }
    OK
}

/// Registers the commands, containers before their subcommands.
pub(super) fn register(ctx: *mut raw::RedisModuleCtx, entries: &[Entry]) -> bool {
    entries.iter().all(|entry| register_one(ctx, entry))
}

fn register_one(ctx: *mut raw::RedisModuleCtx, entry: &Entry) -> bool {
    let spec = &entry.spec;
    let (first, last, step) = match spec.keys {
        Keys::None => (0, 0, 0),
        Keys::First(_) => (1, 1, 1),
        Keys::All(_) => (1, -1, 1),
    };
    let (name, flags) = (spec.name.as_ptr(), spec.flags.as_ptr());
    // SAFETY: called during load with the server's context; all texts are static.
    unsafe {
        let done = match spec.parent {
            None => {
                api!(RedisModule_CreateCommand(ctx, name, entry.handler, flags, first, last, step))
            }
            Some(parent) => {
                let parent = api!(RedisModule_GetCommand(ctx, parent.as_ptr()));
                api!(RedisModule_CreateSubcommand(
                    parent,
                    name,
                    entry.handler,
                    flags,
                    first,
                    last,
                    step
                ))
            }
        };
        let full = full_name(spec);
        let command = api!(RedisModule_GetCommand(ctx, full.as_ptr()));
        if done != OK || command.is_null() || !describe(command, spec) {
            return false;
        }
        // A container does nothing itself.
        if let (Some(set_categories), Some(_)) =
            (raw::RedisModule_SetCommandACLCategories, entry.handler)
        {
            return set_categories(command, spec.categories.as_ptr()) == OK;
        }
    }
    true
}

fn full_name(spec: &Spec) -> std::ffi::CString {
    let mut full = Vec::new();
    if let Some(parent) = spec.parent {
        full.extend_from_slice(parent.to_bytes());
        full.push(b'|');
    }
    full.extend_from_slice(spec.name.to_bytes());
    std::ffi::CString::new(full).unwrap_or_default()
}

/// Tells the server arity, keys and documentation, which it copies.
fn describe(command: *mut raw::RedisModuleCommand, spec: &Spec) -> bool {
    let mut keys = match spec.keys {
        Keys::None => vec![],
        Keys::First(access) => vec![key_spec(access, 0)],
        Keys::All(access) => vec![key_spec(access, -1)],
    };
    // SAFETY: an all-zero key spec is how the server wants the list to end.
    keys.push(unsafe { std::mem::zeroed() });
    let mut arena = Vec::new();
    let args = arguments(spec.args, &mut arena);
    let info = raw::RedisModuleCommandInfo {
        version: &raw const VERSION.0,
        summary: spec.summary.as_ptr(),
        complexity: spec.complexity.as_ptr(),
        since: SINCE.as_ptr(),
        history: std::ptr::null_mut(),
        tips: std::ptr::null(),
        arity: spec.arity,
        key_specs: keys.as_mut_ptr(),
        args,
    };
    // SAFETY: the command was just created; everything that `info` points to lives until the end
    // of this function, and the server makes its own copies.
    unsafe { api!(RedisModule_SetCommandInfo(command, &raw const info)) == OK }
}

fn key_spec(access: Access, last: c_int) -> raw::RedisModuleCommandKeySpec {
    let flags = match access {
        Access::Read => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS,
        Access::Insert => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_UPDATE,
        Access::Update => {
            raw::REDISMODULE_CMD_KEY_RW
                | raw::REDISMODULE_CMD_KEY_ACCESS
                | raw::REDISMODULE_CMD_KEY_UPDATE
        }
        Access::Delete => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_DELETE,
    };
    // SAFETY: plain C data, for which zero is valid.
    let mut spec: raw::RedisModuleCommandKeySpec = unsafe { std::mem::zeroed() };
    spec.flags = u64::from(flags);
    spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX;
    spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE;
    spec.bs.index.pos = 1;
    spec.fk.range.lastkey = last;
    spec.fk.range.keystep = 1;
    spec.fk.range.limit = 0;
    spec
}

/// The server's form of the arguments; every list lives in `arena`.
fn arguments(
    args: &[Arg],
    arena: &mut Vec<Box<[raw::RedisModuleCommandArg]>>,
) -> *mut raw::RedisModuleCommandArg {
    let mut list: Vec<_> = args.iter().map(|arg| argument(arg, arena)).collect();
    // SAFETY: an all-zero argument is how the server wants the list to end.
    list.push(unsafe { std::mem::zeroed() });
    let mut list = list.into_boxed_slice();
    let start = list.as_mut_ptr();
    arena.push(list);
    start
}

fn argument(
    arg: &Arg,
    arena: &mut Vec<Box<[raw::RedisModuleCommandArg]>>,
) -> raw::RedisModuleCommandArg {
    let mut subargs = std::ptr::null_mut();
    let kind = match arg.kind {
        ArgKind::Key => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY,
        ArgKind::Text => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING,
        ArgKind::Integer => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER,
        ArgKind::Word => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN,
        ArgKind::OneOf(choices) => {
            subargs = arguments(choices, arena);
            raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF
        }
        ArgKind::Block(parts) => {
            subargs = arguments(parts, arena);
            raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK
        }
    };
    let mut flags = 0;
    if arg.optional {
        flags |= raw::REDISMODULE_CMD_ARG_OPTIONAL;
    }
    if arg.multiple {
        flags |= raw::REDISMODULE_CMD_ARG_MULTIPLE;
    }
    // SAFETY: plain C data, for which zero is valid.
    let mut raw_arg: raw::RedisModuleCommandArg = unsafe { std::mem::zeroed() };
    raw_arg.name = arg.name.as_ptr();
    raw_arg.type_ = kind;
    raw_arg.key_spec_index = if matches!(arg.kind, ArgKind::Key) { 0 } else { -1 };
    raw_arg.token = arg.token.map_or(std::ptr::null(), CStr::as_ptr);
    raw_arg.flags = flags.cast_signed();
    raw_arg.subargs = subargs;
    raw_arg
}

// SAFETY: never written, and it points nowhere.
unsafe impl Sync for SharedVersion {}
