mod inherit;
mod mapping;
mod refused;
mod unforked;
