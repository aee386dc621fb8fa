mod corrupt_memory;
mod counter_wrap;
mod lifecycle;
mod out_of_memory;
