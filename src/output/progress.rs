//! stub to be replaced
pub struct Progress;
impl Progress {
    pub fn lines(_t: super::Terminal) -> Self {
        Self
    }
    pub fn set(&self, _n: u64) {}
    pub fn finish(&self) {}
}
