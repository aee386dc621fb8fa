mod buffer;
mod corrupt_memory;
mod counter_wrap;
mod format;
mod lifecycle;
mod out_of_memory;
mod platform;
