//! Hooks that come with Kiln.

#[cfg(feature = "tui")]
mod dashboard;
mod early_stopping;
mod json_lines;
mod tensor_board;

#[cfg(feature = "tui")]
pub use dashboard::Dashboard;
pub use early_stopping::EarlyStopping;
pub use json_lines::JsonLines;
pub use tensor_board::TensorBoard;
