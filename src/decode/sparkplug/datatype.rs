//! The data types of Sparkplug B.

use crate::nearest::{did_you_mean, nearest};

/// A data type with a number and a name in the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataType {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float,
    Double,
    Boolean,
    String,
    DateTime,
    Text,
    Uuid,
    DataSet,
    Bytes,
    File,
    Template,
    PropertySet,
    PropertySetList,
    Int8Array,
    Int16Array,
    Int32Array,
    Int64Array,
    UInt8Array,
    UInt16Array,
    UInt32Array,
    UInt64Array,
    FloatArray,
    DoubleArray,
    BooleanArray,
    StringArray,
    DateTimeArray,
}

/// In the order of their numbers, from 1.
pub(super) const DATA_TYPES: &[(DataType, &str)] = &[
    (DataType::Int8, "Int8"),
    (DataType::Int16, "Int16"),
    (DataType::Int32, "Int32"),
    (DataType::Int64, "Int64"),
    (DataType::UInt8, "UInt8"),
    (DataType::UInt16, "UInt16"),
    (DataType::UInt32, "UInt32"),
    (DataType::UInt64, "UInt64"),
    (DataType::Float, "Float"),
    (DataType::Double, "Double"),
    (DataType::Boolean, "Boolean"),
    (DataType::String, "String"),
    (DataType::DateTime, "DateTime"),
    (DataType::Text, "Text"),
    (DataType::Uuid, "UUID"),
    (DataType::DataSet, "DataSet"),
    (DataType::Bytes, "Bytes"),
    (DataType::File, "File"),
    (DataType::Template, "Template"),
    (DataType::PropertySet, "PropertySet"),
    (DataType::PropertySetList, "PropertySetList"),
    (DataType::Int8Array, "Int8Array"),
    (DataType::Int16Array, "Int16Array"),
    (DataType::Int32Array, "Int32Array"),
    (DataType::Int64Array, "Int64Array"),
    (DataType::UInt8Array, "UInt8Array"),
    (DataType::UInt16Array, "UInt16Array"),
    (DataType::UInt32Array, "UInt32Array"),
    (DataType::UInt64Array, "UInt64Array"),
    (DataType::FloatArray, "FloatArray"),
    (DataType::DoubleArray, "DoubleArray"),
    (DataType::BooleanArray, "BooleanArray"),
    (DataType::StringArray, "StringArray"),
    (DataType::DateTimeArray, "DateTimeArray"),
];

/// The range of an integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WholeNumbers {
    pub(super) is_signed: bool,
    pub(super) bits: u32,
}

impl WholeNumbers {
    /// The smallest and the largest number.
    pub(super) fn range(self) -> (i128, i128) {
        let count = 1_i128 << self.bits;
        if self.is_signed { (-count / 2, count / 2 - 1) } else { (0, count - 1) }
    }
}

impl DataType {
    /// The type with this number; `None` for 0 (unknown) and for numbers that the specification does not
    /// define.
    pub(super) fn of_number(number: u32) -> Option<Self> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        DATA_TYPES.get(at).map(|(data_type, _)| *data_type)
    }

    /// The number of the type with this name.
    ///
    /// # Errors
    /// There is no type with this name.
    pub(super) fn number_of_name(name: &str) -> Result<u32, String> {
        if let Some((data_type, _)) = DATA_TYPES.iter().find(|(_, known)| *known == name) {
            return Ok(data_type.number());
        }
        let known = DATA_TYPES.iter().map(|(_, name)| *name);
        let meant: Vec<String> = nearest(name, known).into_iter().map(str::to_owned).collect();
        let meant = did_you_mean(&meant).map(|question| format!("; {question}")).unwrap_or_default();
        Err(format!("unknown datatype '{name}'{meant}"))
    }

    pub(super) fn number(self) -> u32 {
        self as u32 + 1
    }

    pub(super) fn name(self) -> &'static str {
        DATA_TYPES.iter().find(|(data_type, _)| *data_type == self).map_or("", |(_, name)| name)
    }

    /// The range, if it is an integer type or an array of integers.
    pub(super) fn whole_numbers(self) -> Option<WholeNumbers> {
        let (is_signed, bits) = match self {
            Self::Int8 | Self::Int8Array => (true, 8),
            Self::Int16 | Self::Int16Array => (true, 16),
            Self::Int32 | Self::Int32Array => (true, 32),
            Self::Int64 | Self::Int64Array => (true, 64),
            Self::UInt8 | Self::UInt8Array => (false, 8),
            Self::UInt16 | Self::UInt16Array => (false, 16),
            Self::UInt32 | Self::UInt32Array => (false, 32),
            Self::UInt64 | Self::DateTime | Self::UInt64Array | Self::DateTimeArray => (false, 64),
            _ => return None,
        };
        Some(WholeNumbers { is_signed, bits })
    }

    /// Whether its values are packed into `bytes_value` as an array.
    pub(super) fn is_array(self) -> bool {
        self as u8 >= Self::Int8Array as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_specification() {
        for (number, data_type) in [
            (1, DataType::Int8),
            (9, DataType::Float),
            (15, DataType::Uuid),
            (19, DataType::Template),
            (22, DataType::Int8Array),
            (34, DataType::DateTimeArray),
        ] {
            assert_eq!(DataType::of_number(number), Some(data_type));
            assert_eq!(DataType::number_of_name(data_type.name()), Ok(number));
        }
        assert_eq!((DataType::of_number(0), DataType::of_number(35)), (None, None));
        assert_eq!(
            DataType::number_of_name("int32").unwrap_err(),
            "unknown datatype 'int32'; did you mean 'Int32'?"
        );
    }
}
