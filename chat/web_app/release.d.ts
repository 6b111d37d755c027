// Written before the service worker's script by chat/web_app/offline.py.
declare const RELEASE: {
  version: string;
  /** The path of the page. */
  page: string;
  offlinePage: string;
  files: string[];
  /** The path of all files of this release. */
  folder: string;
};
