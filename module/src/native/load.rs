//! `RedisModule_OnLoad`: binds the API and registers everything.

use std::ffi::{CStr, c_int};

use redis_module::raw;

use super::context::Ctx;
use super::{clock, command, config, guarded, hooks, info, log, reclaim, server, value_type};
use crate::book::Book;
use crate::commands;
use crate::roster::Roster;

const NAME: &CStr = c"rollcall";
const VERSION: c_int = 10_000;
const API_VERSION: c_int = 1;

const OK: c_int = 0;
const ERR: c_int = 1;

/// Called by the server, once.
///
/// # Safety
/// The server passes its context; argument values are not used.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the server finds it by its symbol")]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: *mut raw::RedisModuleCtx,
    _argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the context is the server's, and nothing has used the API yet.
    let bound = unsafe { raw::Export_RedisModule_Init(ctx, NAME.as_ptr(), VERSION, API_VERSION) };
    if bound != OK {
        return ERR;
    }
    guarded(ERR, || {
        if argc != 0 {
            log::warning(
                &Ctx::new(ctx),
                "it takes no arguments: use the config file, rollcall.<name>",
            );
            return ERR;
        }
        if load(ctx) { OK } else { ERR }
    })
}

fn load(ctx: *mut raw::RedisModuleCtx) -> bool {
    clock::monotonic_ms();
    reclaim::prepare();
    server::ask(ctx);
    set_options(ctx);
    let steps: [(&str, &dyn Fn() -> bool); 6] = [
        ("the roster type could not be registered", &|| value_type::register::<Roster>(ctx)),
        ("the book type could not be registered", &|| value_type::register::<Book>(ctx)),
        ("a command could not be registered", &|| command::register(ctx, &commands::all())),
        ("INFO could not be registered", &|| info::register(ctx)),
        ("a setting could not be registered", &|| config::register(ctx)),
        ("an event could not be subscribed", &|| hooks::install(ctx)),
    ];
    for (failure, step) in steps {
        if !step() {
            log::warning(&Ctx::new(ctx), failure);
            return false;
        }
    }
    true
}

fn set_options(ctx: *mut raw::RedisModuleCtx) {
    // Broken dumps become errors instead of ending the server. Loading beside the old data stays
    // off: the registry knows one set of keys.
    let options = raw::REDISMODULE_OPTIONS_HANDLE_IO_ERRORS.cast_signed() | server::options();
    // SAFETY: called during load with the server's context.
    unsafe { api!(RedisModule_SetModuleOptions(ctx, options)) };
}
