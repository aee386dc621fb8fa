//! Asking for a cache line before it is needed.
//!
//! An atomic exchange waits until all writes before it are done. So a queue that writes an item, and
//! then exchanges a word for the next one, waits each time until the other side's core has given the item's
//! line away, although nothing else depends on that. A writer that asks for the line some items earlier
//! finds it there.

/// Asks for the cache line at `address`, to write to it, and does not wait for the answer.
///
/// Nothing is read or written, so any address will do. On other processors than `x86_64`, and under Miri and
/// loom, it does nothing.
///
/// ```
/// let slots = [0_u64; 64];
/// queue_core::sync::prefetch_for_writing(&slots[16]);
/// ```
#[inline(always)]
pub fn prefetch_for_writing<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(loom)))]
    // SAFETY: the instruction is a hint. It changes no register, flag or memory, and does not fault,
    // whatever the address; a processor that does not know it treats it as a no-op.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) address.addr(), options(nomem, nostack, preserves_flags));
    }
    let _ = address;
}
