mod answers;
mod copied;
mod rules;
