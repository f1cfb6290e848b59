//! Asking for memory before it is needed, so that it comes while something else is computed.

/// Has a value's first cache line fetched. A hint: nothing is read, and nothing waits.
#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "the standard library has no safe way to say it yet")
)]
pub(crate) fn prefetch<T: ?Sized>(wanted: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch changes nothing that a program can see and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(wanted).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = wanted;
}
