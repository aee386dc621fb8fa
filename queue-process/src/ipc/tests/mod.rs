mod answers;
mod batches;
mod copied;
mod rules;
