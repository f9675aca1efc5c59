/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "input.h"

#include "file-list.h"
#include "inspect-error.h"
#include "profile/profile-merge.h"

/* Files of the same types while they are being read. */
static PyroProfileMerger *
find_merger (GPtrArray *mergers, const PyroProfile *profile)
{
  PyroProfileMerger *merger;
  guint i;

  for (i = 0; i < mergers->len; i++) {
    if (pyro_profile_merger_accepts (mergers->pdata[i], profile))
      return mergers->pdata[i];
  }
  merger = pyro_profile_merger_new ();
  g_ptr_array_add (mergers, merger);
  return merger;
}

static gboolean
read_file (const gchar *path, const PyroProfileLimits *limits,
           GPtrArray *mergers)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = pyro_file_read (path, limits->max_size, &error);
  g_autoptr (PyroProfile) profile = NULL;

  if (bytes != NULL)
    profile = pyro_profile_decode (bytes, limits, &error);
  if (profile != NULL
      && pyro_profile_merger_add (find_merger (mergers, profile), profile,
                                  &error))
    return TRUE;
  pyro_report (
      "%s: %s%s", path, error->message,
      g_error_matches (error, PYRO_PROFILE_ERROR, PYRO_PROFILE_ERROR_TOO_LARGE)
          ? " (see --max-size)"
          : "");
  return FALSE;
}

static gboolean
read_path (const gchar *path, const PyroProfileLimits *limits,
           GPtrArray *mergers)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  gboolean complete;
  guint i;

  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return read_file (path, limits, mergers);

  complete = pyro_file_list_add_folder (files, path);
  if (complete && files->len == 0) {
    pyro_report ("%s: no profile in this folder (*.pb.gz, *.pb, *.pprof)",
                 path);
    return FALSE;
  }
  for (i = 0; i < files->len; i++)
    complete = read_file (files->pdata[i], limits, mergers) && complete;
  return complete;
}

static PyroInputGroup *
finish_group (PyroProfileMerger *merger)
{
  /* What was read in parts is not refused for its sum. */
  static const PyroProfileLimits limits = { G_MAXSIZE, G_MAXSIZE };
  g_autoptr (GBytes) bytes = pyro_profile_merger_finish (merger);
  g_autoptr (GError) error = NULL;
  PyroProfile *profile = pyro_profile_decode (bytes, &limits, &error);
  PyroInputGroup *group;

  if (profile == NULL)
    g_error ("the merged profile %s", error->message);
  group = g_new0 (PyroInputGroup, 1);
  group->profile = profile;
  group->n_files = pyro_profile_merger_get_n_profiles (merger);
  return group;
}

static void
group_free (gpointer data)
{
  PyroInputGroup *group = data;

  pyro_profile_free (group->profile);
  g_free (group);
}

PyroInput *
pyro_input_read (gchar *const *paths, const PyroProfileLimits *limits)
{
  g_autoptr (GPtrArray) mergers = g_ptr_array_new_with_free_func (
      (GDestroyNotify)pyro_profile_merger_free);
  PyroInput *input = g_new0 (PyroInput, 1);
  guint i;

  for (; *paths != NULL; paths++) {
    if (!read_path (*paths, limits, mergers))
      input->failed = TRUE;
  }
  input->groups = g_ptr_array_new_with_free_func (group_free);
  for (i = 0; i < mergers->len; i++)
    g_ptr_array_add (input->groups, finish_group (mergers->pdata[i]));
  return input;
}

void
pyro_input_free (PyroInput *input)
{
  if (input == NULL)
    return;
  g_ptr_array_unref (input->groups);
  g_free (input);
}
