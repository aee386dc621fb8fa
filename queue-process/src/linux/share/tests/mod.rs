mod fd_bundle;
mod server;
mod socket;
