//! Storage with reusable numbered slots, for connections and sessions.

use std::marker::PhantomData;

/// Values with small numbers of the type `K`.
pub(super) struct Slab<K, T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
    key: PhantomData<K>,
}

impl<K: From<u32> + Into<u32>, T> Slab<K, T> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new(), key: PhantomData }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> K {
        if let Some(index) = self.free.pop()
            && let Some(place) = self.places.get_mut(index as usize)
        {
            *place = Some(value);
            return K::from(index);
        }
        self.places.push(Some(value));
        // Limits keep the number of values far below 2³².
        K::from(u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX))
    }

    pub(super) fn get(&self, key: K) -> Option<&T> {
        self.places.get(key.into() as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.places.get_mut(key.into() as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, key: K) -> Option<T> {
        let index = key.into();
        let value = self.places.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(value)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut T)> {
        let numbered = |(index, value)| (K::from(u32::try_from(index).unwrap_or(u32::MAX)), value);
        self.places
            .iter_mut()
            .enumerate()
            .map(numbered)
            .filter_map(|(key, place): (K, &mut Option<T>)| Some((key, place.as_mut()?)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        let numbered = |(index, value)| (K::from(u32::try_from(index).unwrap_or(u32::MAX)), value);
        self.places
            .iter()
            .enumerate()
            .map(numbered)
            .filter_map(|(key, place): (K, &Option<T>)| Some((key, place.as_ref()?)))
    }
}
