mod close_on_fork;
mod inherit;
mod mapping;
mod refused;
