mod close_on_fork;
mod file_range;
mod inherit;
mod mapping;
mod refused;
mod relay;
