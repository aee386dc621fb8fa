mod arena_state;
mod crash;
mod fixtures;
mod overflow;
mod record;
