//! Presence and user status as native Redis types.
