// Where versions differ, as in 1.10.
#define H5_USE_110_API
#include <hdf5.h>
#include <stdio.h>

// HDF5 names its types by macros that call functions, which Swift does not see.

static inline hid_t chdf5_float32(void) { return H5T_IEEE_F32LE; }
static inline hid_t chdf5_float64(void) { return H5T_IEEE_F64LE; }
static inline hid_t chdf5_int64(void) { return H5T_STD_I64LE; }
static inline hid_t chdf5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t chdf5_native_int64(void) { return H5T_NATIVE_INT64; }

static inline hid_t chdf5_create(const char *path) {
  return H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

static inline hid_t chdf5_open(const char *path) {
  return H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
}

// A new dataset; the groups in its name are made where they are not there.
static inline hid_t chdf5_create_dataset(hid_t file, const char *name, hid_t type, hid_t space) {
  hid_t list = H5Pcreate(H5P_LINK_CREATE);
  if (list < 0) return list;
  H5Pset_create_intermediate_group(list, 1);
  hid_t dataset = H5Dcreate2(file, name, type, space, list, H5P_DEFAULT, H5P_DEFAULT);
  H5Pclose(list);
  return dataset;
}

// Where an object lies in its file, which tells it from others; all ones if that cannot be said.
static inline uint64_t chdf5_address(hid_t object) {
  H5O_info_t info;
  return H5Oget_info(object, &info) < 0 ? UINT64_MAX : (uint64_t)info.addr;
}

// Keeps HDF5 from printing its errors.
static inline void chdf5_be_quiet(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

struct chdf5_text {
  char *start;
  size_t size;
};

static inline herr_t chdf5_note(unsigned index, const H5E_error2_t *error, void *context) {
  struct chdf5_text *text = (struct chdf5_text *)context;
  if (index == 0) snprintf(text->start, text->size, "%s", error->desc ? error->desc : "");
  return 0;
}

// The innermost of the last call's errors, in HDF5's words.
static inline void chdf5_last_error(char *start, size_t size) {
  struct chdf5_text text = {start, size};
  if (size > 0) start[0] = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, chdf5_note, &text);
}
