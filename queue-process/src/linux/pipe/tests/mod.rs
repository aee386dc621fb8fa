mod arena_state;
mod crash;
mod file_range;
mod fixtures;
mod overflow;
mod record;
